-- What Jarvis remembers, and the index of its words. Never edited once released; see ../schema.sql for what the columns mean.

create table memories (
  id integer primary key autoincrement,
  lifetime text not null check (lifetime in ('working', 'episodic', 'lasting')),
  subject_kind text not null check (subject_kind in ('node', 'guest', 'storage', 'topic')),
  subject text not null,
  label text not null,
  attribute text,
  text text not null,
  value text,
  single integer not null check (single in (0, 1)),
  mentions text not null,
  keys text not null,
  source text not null check (source in ('said', 'by_rule', 'by_model', 'imported')),
  tainted integer not null check (tainted in (0, 1)),
  importance integer not null check (importance between 1 and 5),
  room text not null,
  turn_id integer,
  told_ms integer not null,
  from_ms integer not null,
  to_ms integer,
  superseded_by integer references memories (id) on delete set null,
  expires_ms integer,
  uses integer not null default 0,
  last_used_ms integer,
  check (to_ms is not null or superseded_by is null),
  check ((attribute is null) = (value is null)),
  check ((lifetime = 'lasting') = (expires_ms is null))
) strict;
create index memories_by_subject on memories (subject_kind, subject, attribute);
create index memories_by_expiry on memories (expires_ms) where expires_ms is not null;
create index memories_by_successor on memories (superseded_by) where superseded_by is not null;

create virtual table memory_words using fts5 (
  text,
  keys,
  content = 'memories',
  content_rowid = 'id',
  tokenize = 'porter unicode61 remove_diacritics 2'
);
insert into memory_words (memory_words, rank) values ('secure-delete', 1);
create trigger memories_indexed after insert on memories begin
  insert into memory_words (rowid, text, keys) values (new.id, new.text, new.keys);
end;
create trigger memories_unindexed after delete on memories begin
  insert into memory_words (memory_words, rowid, text, keys) values ('delete', old.id, old.text, old.keys);
end;
create trigger memories_never_rewritten before update of text, value, keys, subject, attribute on memories begin
  select raise(abort, 'a memory is superseded, never rewritten');
end;
