-- Conversations, turns and what belongs to a turn. Never edited once released; see ../schema.sql for what the columns mean.

create table conversations (
  id integer primary key autoincrement,
  room text not null,
  started_ms integer not null,
  last_ms integer not null
) strict;
create index conversations_by_room on conversations (room, last_ms);

create table turns (
  id integer primary key autoincrement,
  conversation_id integer not null references conversations (id),
  room text not null,
  satellite text,
  source text not null check (source in ('voice', 'typed', 'said')),
  started_ms integer not null,
  wake_phrase text,
  wake_score real,
  wake_check text,
  transcript text,
  route_kind text,
  route_reason text,
  reply text,
  finished_ms integer,
  error text,
  forgotten_ms integer
) strict;
create index turns_by_conversation on turns (conversation_id, id);
create index turns_by_time on turns (started_ms);

create table sentences (
  turn_id integer not null references turns (id) on delete cascade,
  seq integer not null,
  place integer not null,
  text text not null,
  committed_ms integer not null,
  primary key (turn_id, seq)
) strict, without rowid;

create table tool_runs (
  turn_id integer not null references turns (id) on delete cascade,
  seq integer not null,
  name text not null,
  args text not null,
  tier text not null check (tier in ('GREEN', 'YELLOW', 'RED', 'BLACK')),
  outcome text not null,
  duration_ms integer not null,
  primary key (turn_id, seq)
) strict, without rowid;

create table marks (
  turn_id integer not null references turns (id) on delete cascade,
  name text not null,
  at_ms integer not null,
  primary key (turn_id, name)
) strict, without rowid;
