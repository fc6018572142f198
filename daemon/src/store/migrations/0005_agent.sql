-- One run of a model for one request: what it was asked, what it called, what came of it. A turn that reopened may have several.
create table agent_runs (
  id integer primary key autoincrement,
  turn_id integer not null references turns (id) on delete cascade,
  -- Who was asked: the provider's configured name, and its model.
  provider text not null,
  model text not null,
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
