-- The data model of jarvisd. A fresh database is made from this file; an older one is brought here by migrations/NNNN_*.sql, and a test
-- holds the two equal. Times are milliseconds since 1970-01-01 UTC unless a column says otherwise. Audio is never in here.

-- Turns of one room that follow each other closely: what "it" and "that one" can refer to.
create table conversations (
  id integer primary key autoincrement,
  room text not null,
  started_ms integer not null,
  -- Start of its newest turn; a later turn than this plus the gap begins a new conversation.
  last_ms integer not null
) strict;
create index conversations_by_room on conversations (room, last_ms);

-- One request and its answer. Columns fill in the order of the turn, each committed before what it says is shown or spoken.
create table turns (
  -- Never used twice, not even after a deletion.
  id integer primary key autoincrement,
  conversation_id integer not null references conversations (id),
  room text not null,
  -- The satellite that heard it; null where it was typed.
  satellite text,
  source text not null check (source in ('voice', 'typed', 'said')),
  started_ms integer not null,
  wake_phrase text,
  -- 0.0 to 1.0, the detector's own scale.
  wake_score real,
  -- What the second look at the pre-roll said: confirmed, contradicted, cannot tell.
  wake_check text,
  -- Final words heard or typed. Null before they are known, and again once their retention time has passed.
  transcript text,
  -- Who answered (intent, local model, cloud model, none) and why.
  route_kind text,
  route_reason text,
  -- All that was said, in one piece; forgotten with the transcript.
  reply text,
  -- Null while the turn runs; a row that stays so was cut by the daemon's own end.
  finished_ms integer,
  error text,
  -- When the words of this turn were forgotten.
  forgotten_ms integer
) strict;
create index turns_by_conversation on turns (conversation_id, id);
create index turns_by_time on turns (started_ms);

-- What was spoken, sentence by sentence: committed before its first sample is played.
create table sentences (
  turn_id integer not null references turns (id) on delete cascade,
  -- Counts from 0 over the whole turn, a replaced answer included.
  seq integer not null,
  -- Its place in the answer it belongs to.
  place integer not null,
  text text not null,
  committed_ms integer not null,
  primary key (turn_id, seq)
) strict, without rowid;

-- Tools that ran in the turn.
create table tool_runs (
  turn_id integer not null references turns (id) on delete cascade,
  seq integer not null,
  name text not null,
  -- JSON.
  args text not null,
  tier text not null check (tier in ('GREEN', 'YELLOW', 'RED', 'BLACK')),
  outcome text not null,
  duration_ms integer not null,
  primary key (turn_id, seq)
) strict, without rowid;

-- Moments of the turn (wake, speech_end, first_audio, ...) in milliseconds on the turn's own scale.
create table marks (
  turn_id integer not null references turns (id) on delete cascade,
  name text not null,
  at_ms integer not null,
  primary key (turn_id, name)
) strict, without rowid;

-- What the house went through: a satellite came or went, a part degraded or recovered, a database was kept aside.
create table events (
  id integer primary key autoincrement,
  at_ms integer not null,
  kind text not null,
  -- Whom it is about: a room, a node, a part.
  subject text not null,
  -- JSON.
  detail text not null
) strict;
create index events_by_time on events (at_ms);
