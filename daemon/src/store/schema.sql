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
  forgotten_ms integer,
  -- Whether strangers may have written some of the reply: 1 unless a model made it that had read nothing of theirs. No model is told
  -- the words of such a reply later.
  reply_tainted integer not null default 1 check (reply_tainted in (0, 1)),
  -- What of the answer is read rather than heard: long matter, notes, the command to do it by hand. Forgotten with the transcript.
  page text
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
  -- When, by the machine's clock. No code reads it: it is for whoever looks into the file for what happened.
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

-- What Jarvis was told and keeps. A fact is never rewritten: a newer one about the same attribute closes it (to_ms, superseded_by). It is
-- current at a moment if from_ms <= moment, and moment < to_ms and < expires_ms where those are set.
create table memories (
  -- Never used twice, not even after something was forgotten.
  id integer primary key autoincrement,
  -- Hours, weeks, or until superseded.
  lifetime text not null check (lifetime in ('working', 'episodic', 'lasting')),
  -- What it is about: the node's or storage's name, the guest's VMID, or a topic in lower case.
  subject_kind text not null check (subject_kind in ('node', 'guest', 'storage', 'topic')),
  subject text not null,
  -- How the subject was called when it was told.
  label text not null,
  -- Which attribute of the subject it gives (address, place, name, ...), and its value; both null where nothing can contradict it.
  attribute text,
  -- The sentence, as it was told, secrets taken out.
  text text not null,
  value text,
  -- Whether the attribute has one value at a time.
  single integer not null check (single in (0, 1)),
  -- Other things of the cluster that the text names: JSON.
  mentions text not null,
  -- Words for the index beside the text: one per thing that is named and one for the attribute.
  keys text not null,
  -- Where it comes from. None of these gives authority.
  source text not null check (source in ('said', 'by_rule', 'by_model', 'imported')),
  -- Whether untrusted text had a part in it: marked wherever it is recalled.
  tainted integer not null check (tainted in (0, 1)),
  importance integer not null check (importance between 1 and 5),
  -- Where it was told, and in which turn (turns go earlier than memories, so this is no reference).
  room text not null,
  turn_id integer,
  told_ms integer not null,
  -- Validity: from this millisecond on, until before that one.
  from_ms integer not null,
  to_ms integer,
  superseded_by integer references memories (id) on delete set null,
  -- From this millisecond on it is not recalled; a sweep deletes it some time after.
  expires_ms integer,
  -- Written in batches: the last minute's uses may be missing after a crash.
  uses integer not null default 0,
  last_used_ms integer,
  check (to_ms is not null or superseded_by is null),
  check ((attribute is null) = (value is null)),
  check ((lifetime = 'lasting') = (expires_ms is null))
) strict;
create index memories_by_subject on memories (subject_kind, subject, attribute);
create index memories_by_expiry on memories (expires_ms) where expires_ms is not null;
create index memories_by_successor on memories (superseded_by) where superseded_by is not null;

-- The words of memories, stemmed. It holds no text of its own, and what is deleted leaves its pages at once (secure-delete), so that
-- what was forgotten cannot be found in the file.
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

-- What was asked of the owner before something was changed, and what became of it. A row is used once: `started` is written in the
-- transaction that consumes it, before the effect.
create table approvals (
  id integer primary key autoincrement,
  -- JSON of jarvis_core::approval::Bound: tool, version, argument bytes, target, tier, origin, room, question, challenge, times.
  bound text not null,
  -- HMAC-SHA-256 over id and bound, with the key in the state folder.
  seal blob not null check (length(seal) = 32),
  stage text not null check (stage in ('pending', 'approved', 'denied', 'cancelled', 'expired', 'started', 'done', 'failed', 'unknown')),
  -- `voice in study`, `page`, `jarvisctl`, `leave`.
  approved_by text,
  -- Not before then does it run: a mind may be changed.
  clears_ms integer,
  wrong_words integer not null default 0,
  -- Copies of what is bound, to look rows up by; what counts is in `bound`.
  room text,
  asked_ms integer not null,
  expires_ms integer not null,
  started_ms integer,
  -- JSON of jarvis_core::tools::Change, written with 'started': how the node's task list is searched after a crash.
  change text,
  -- The task, committed as soon as the node named it.
  upid text,
  -- How it ended, in words.
  outcome text,
  ended_ms integer,
  -- JSON {tool, args} of the call that takes it back; null where nothing does.
  inverse text,
  -- The approval that took it back.
  undone_by integer references approvals (id)
) strict;
create index approvals_by_stage on approvals (stage, id);

-- Under what seal an approval stands since it was moved last.
create table approval_standings (
  approval_id integer primary key references approvals (id),
  -- When its room had heard the question to its end; a "yes" from there counts only then.
  spoken_ms integer,
  -- HMAC-SHA-256 over every column of the row but `bound`, and over spoken_ms: nobody without the key in the state folder moves it on.
  seal blob not null check (length(seal) = 32)
) strict;

-- Everything asked, ruled, approved, run and verified, chained: each hash covers the entry before (jarvis_core::audit). Never updated,
-- never deleted from.
create table audit (
  seq integer primary key,
  at_ms integer not null,
  kind text not null,
  approval_id integer,
  -- SHA-256 over salt and content.
  content_hash blob not null check (length(content_hash) = 32),
  before blob not null check (length(before) = 32),
  hash blob not null check (length(hash) = 32)
) strict;

-- The contents, which may be forgotten: the chain holds without them.
create table audit_contents (
  seq integer primary key references audit (seq),
  salt blob not null check (length(salt) = 16),
  -- JSON, secrets taken out.
  content text not null
) strict;

-- One run of a model for one request: what it was asked, what it called, what came of it. A turn that reopened may have several.
create table agent_runs (
  id integer primary key autoincrement,
  turn_id integer not null references turns (id) on delete cascade,
  -- Who was asked: the provider's configured name, and its model.
  provider text not null,
  model text not null,
  -- No code reads it, nor ended_ms: they are for whoever looks into the file for what happened.
  begun_ms integer not null,
  -- 'interrupted': the daemon ended in the middle of it. It is told, and never gone on with: what it had asked for is not repeated.
  state text not null check (state in ('running', 'ended', 'cancelled', 'interrupted')),
  -- JSON of jarvis_core::agent::End; null unless it ended by itself.
  ending text,
  ended_ms integer
) strict;
create index agent_runs_by_turn on agent_runs (turn_id);
create index agent_runs_by_state on agent_runs (state) where state = 'running';

-- Its steps, each committed before what follows from it is begun.
create table agent_steps (
  run_id integer not null references agent_runs (id) on delete cascade,
  -- Counts from 0.
  seq integer not null,
  at_ms integer not null,
  kind text not null check (kind in ('asked', 'said', 'began', 'result', 'ended')),
  -- JSON of jarvis_core::agent::Step, secrets taken out, thoughts left out, long texts cut; forgotten with the turn's words.
  content text not null,
  primary key (run_id, seq)
) strict, without rowid;

-- The books: every request to a model, written before it is sent. Amounts are micro-dollars (millionths of a US dollar).
create table costs (
  id integer primary key autoincrement,
  -- The turn it was asked in (turns go earlier than costs, so this is no reference); null outside of turns.
  turn_id integer,
  room text not null,
  -- As it is configured, and the model that was asked.
  provider text not null,
  model text not null,
  -- The day of the owner's calendar that it counts for: 2026-11-26.
  day text not null check (day like '____-__-__'),
  at_ms integer not null,
  -- open: under way, `at_most` is set aside; settled: `cost` is what it really cost; unknown: nobody can say, `cost` is `at_most`;
  -- released: it was surely not billed, `cost` is 0.
  state text not null check (state in ('open', 'settled', 'unknown', 'released')),
  at_most integer not null check (at_most >= 0),
  cost integer check (cost >= 0),
  -- Tokens, as the provider told them; zero where it did not.
  input integer not null default 0,
  output integer not null default 0,
  cache_write_5m integer not null default 0,
  cache_write_1h integer not null default 0,
  cache_read integer not null default 0,
  check ((state = 'open') = (cost is null))
) strict;
create index costs_by_day on costs (day, state, at_most, cost);
create index costs_open on costs (id) where state = 'open';

-- Words about money that were due, once each: 2026-11-26 or 2026-11, and four fifths or all of it.
create table cost_notices (
  period text not null,
  level text not null check (level in ('warned', 'spent')),
  at_ms integer not null,
  primary key (period, level)
) strict, without rowid;

-- Tools of the owner's other servers, as he approved them. One whose description, schema or address differs is not offered to a model.
create table server_tools (
  server text not null,
  tool text not null,
  -- SHA-256 of `described`.
  pin blob not null check (length(pin) = 32),
  -- Canonical JSON of name, description and schema (jarvis_core::foreign), as they were when they were approved.
  described text not null,
  address text not null,
  primary key (server, tool)
) strict, without rowid;
