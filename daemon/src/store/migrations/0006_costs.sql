create table costs (
  id integer primary key autoincrement,
  turn_id integer,
  room text not null,
  provider text not null,
  model text not null,
  day text not null check (day like '____-__-__'),
  at_ms integer not null,
  state text not null check (state in ('open', 'settled', 'unknown', 'released')),
  at_most integer not null check (at_most >= 0),
  cost integer check (cost >= 0),
  input integer not null default 0,
  output integer not null default 0,
  cache_write_5m integer not null default 0,
  cache_write_1h integer not null default 0,
  cache_read integer not null default 0,
  check ((state = 'open') = (cost is null))
) strict;
create index costs_by_day on costs (day, state, at_most, cost);
create index costs_open on costs (id) where state = 'open';

create table cost_notices (
  period text not null,
  level text not null check (level in ('warned', 'spent')),
  at_ms integer not null,
  primary key (period, level)
) strict, without rowid;
