create table approvals (
  id integer primary key autoincrement,
  bound text not null,
  seal blob not null check (length(seal) = 32),
  stage text not null check (stage in ('pending', 'approved', 'denied', 'cancelled', 'expired', 'started', 'done', 'failed', 'unknown')),
  approved_by text,
  clears_ms integer,
  wrong_words integer not null default 0,
  room text,
  asked_ms integer not null,
  expires_ms integer not null,
  started_ms integer,
  change text,
  upid text,
  outcome text,
  ended_ms integer,
  inverse text,
  undone_by integer references approvals (id)
) strict;
create index approvals_by_stage on approvals (stage, id);

create table audit (
  seq integer primary key,
  at_ms integer not null,
  kind text not null,
  approval_id integer,
  content_hash blob not null check (length(content_hash) = 32),
  before blob not null check (length(before) = 32),
  hash blob not null check (length(hash) = 32)
) strict;

create table audit_contents (
  seq integer primary key references audit (seq),
  salt blob not null check (length(salt) = 16),
  content text not null
) strict;
