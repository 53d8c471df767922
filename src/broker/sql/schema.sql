-- What all migrations together make. Regenerate: node scripts/schema.ts > src/broker/sql/schema.sql

CREATE TABLE access_keys (
  id text NOT NULL PRIMARY KEY,
  kind text NOT NULL,
  label text NOT NULL,
  hash text NOT NULL,
  role text NOT NULL,
  scopes text,
  queues text,
  created_at bigint NOT NULL,
  created_by text NOT NULL,
  expires_at bigint,
  last_used_at bigint,
  revoked_at bigint
    , rate_count bigint, rate_ms bigint);

CREATE TABLE access_links (hash text NOT NULL PRIMARY KEY, key_id text NOT NULL, expires_at bigint NOT NULL);

CREATE TABLE access_sessions (
  id text NOT NULL PRIMARY KEY,
  hash text NOT NULL,
  key_id text NOT NULL,
  address text,
  agent text,
  created_at bigint NOT NULL,
  seen_at bigint NOT NULL,
  expires_at bigint NOT NULL
);

CREATE UNIQUE INDEX access_sessions_hash ON access_sessions (hash);

CREATE TABLE access_tries (name text NOT NULL PRIMARY KEY, failures bigint NOT NULL, at bigint NOT NULL, until_at bigint NOT NULL);

CREATE TABLE attempts (
  seq INTEGER PRIMARY KEY, task_id text NOT NULL, epoch bigint NOT NULL, attempt bigint NOT NULL, worker_id text, claimed_at bigint NOT NULL,
  started_at bigint, ended_at bigint NOT NULL, state text NOT NULL, reason text, error text
);

CREATE INDEX attempts_task ON attempts (task_id, seq);

CREATE TABLE audit (
  id text NOT NULL PRIMARY KEY,
  at bigint NOT NULL,
  actor text NOT NULL,
  key_id text,
  address text,
  request_id text,
  operation text NOT NULL,
  line text NOT NULL,
  input text NOT NULL,
  before_state text,
  after_state text,
  outcome text
);

CREATE INDEX audit_actor ON audit (actor, id);

CREATE INDEX audit_at ON audit (at);

CREATE INDEX audit_operation ON audit (operation, id);

CREATE TABLE claims (
  token text NOT NULL PRIMARY KEY,
  worker_id text NOT NULL,
  check_at bigint NOT NULL,
  running bigint NOT NULL CHECK (running > 0),
  task_ids text NOT NULL
) WITHOUT ROWID;

CREATE INDEX claims_check_at ON claims (check_at);

CREATE TABLE counts (queue text NOT NULL, name text NOT NULL, view text NOT NULL, tasks bigint NOT NULL, PRIMARY KEY (queue, name, view)) WITHOUT ROWID;

CREATE TABLE deltas (seq INTEGER PRIMARY KEY, at bigint NOT NULL, counts text NOT NULL, minutes text);

CREATE TABLE edges (
  parent_id text NOT NULL,
  child_id text NOT NULL,
  state text NOT NULL,
  on_failure text NOT NULL, awaited bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (parent_id, child_id),
  CONSTRAINT edges_state CHECK (state = 'open' OR state = 'done' OR state = 'failed'),
  CONSTRAINT edges_policy CHECK (on_failure = 'fail' OR on_failure = 'cancel' OR on_failure = 'ignore')
) WITHOUT ROWID;

CREATE INDEX edges_awaited ON edges (parent_id) WHERE awaited = 1;

CREATE INDEX edges_child ON edges (child_id, state);

CREATE TABLE events (seq INTEGER PRIMARY KEY, at bigint NOT NULL, kind text NOT NULL, items text NOT NULL);

CREATE TABLE flows (flow_id text NOT NULL PRIMARY KEY, cancelled_at bigint NOT NULL, cancel_reason text) WITHOUT ROWID;

CREATE TABLE gaps (seq INTEGER PRIMARY KEY, from_at bigint, to_at bigint NOT NULL, restored bigint NOT NULL);

CREATE TABLE groups (name text NOT NULL PRIMARY KEY, weight bigint, paused_at bigint, paused_by text, pause_reason text) WITHOUT ROWID;

CREATE TABLE keys (key text NOT NULL PRIMARY KEY, task_id text NOT NULL, held_until bigint) WITHOUT ROWID;

CREATE INDEX keys_held_until ON keys (held_until) WHERE held_until IS NOT NULL;

CREATE TABLE latencies (
  at bigint NOT NULL, queue text NOT NULL, kind text NOT NULL, bucket bigint NOT NULL, tasks bigint NOT NULL,
  PRIMARY KEY (at, queue, kind, bucket)
) WITHOUT ROWID;

CREATE TABLE limits (
  name text NOT NULL PRIMARY KEY,
  max bigint,
  rate_count bigint,
  rate_per_ms bigint,
  tat bigint NOT NULL,
  missed bigint NOT NULL, paused_at bigint, paused_by text, pause_reason text,
  CONSTRAINT limits_rate CHECK ((rate_count IS NULL) = (rate_per_ms IS NULL))
) WITHOUT ROWID;

CREATE INDEX limits_tat ON limits (tat) WHERE max IS NULL AND rate_count IS NULL;

CREATE TABLE logs (seq INTEGER PRIMARY KEY, task_id text NOT NULL, epoch bigint NOT NULL, at bigint NOT NULL, level text NOT NULL, message text NOT NULL, fields text);

CREATE INDEX logs_task ON logs (task_id, seq);

CREATE TABLE members (flow_id text NOT NULL, task_id text NOT NULL, PRIMARY KEY (flow_id, task_id)) WITHOUT ROWID;

CREATE TABLE meta (name text NOT NULL PRIMARY KEY, value text NOT NULL);

CREATE TABLE migrations (name text NOT NULL PRIMARY KEY, at bigint NOT NULL);

CREATE TABLE minutes (
  at bigint NOT NULL, queue text NOT NULL, name text NOT NULL, succeeded bigint NOT NULL, failed bigint NOT NULL, cancelled bigint NOT NULL,
  retried bigint NOT NULL, wait_ms bigint NOT NULL, run_ms bigint NOT NULL, PRIMARY KEY (at, queue, name)
) WITHOUT ROWID;

CREATE TABLE queues (name text NOT NULL PRIMARY KEY, paused_at bigint, paused_by text, pause_reason text, limited bigint NOT NULL DEFAULT 0) WITHOUT ROWID;

CREATE INDEX queues_limited ON queues (name) WHERE limited = 1;

CREATE TABLE recorded (kind text NOT NULL, name text NOT NULL, document text NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;

CREATE TABLE recorder (id bigint NOT NULL PRIMARY KEY CHECK (id = 1), incarnation text NOT NULL, seq bigint NOT NULL, event_at bigint, event text);

CREATE TABLE relay (seq INTEGER PRIMARY KEY, task_id text NOT NULL, at bigint NOT NULL, task text NOT NULL, problem text);

CREATE INDEX relay_aside ON relay (seq) WHERE problem IS NOT NULL;

CREATE UNIQUE INDEX relay_task ON relay (task_id);

CREATE INDEX relay_waiting ON relay (seq) WHERE problem IS NULL;

CREATE TABLE rollups (
  span bigint NOT NULL, at bigint NOT NULL, queue text NOT NULL, name text NOT NULL, succeeded bigint NOT NULL, failed bigint NOT NULL,
  cancelled bigint NOT NULL, retried bigint NOT NULL, wait_ms bigint NOT NULL, run_ms bigint NOT NULL, PRIMARY KEY (span, at, queue, name)
) WITHOUT ROWID;

CREATE TABLE rounds (queue text NOT NULL PRIMARY KEY, turn bigint NOT NULL, plain_turn bigint NOT NULL, plain_since bigint NOT NULL) WITHOUT ROWID;

CREATE TABLE samples (
  at bigint NOT NULL, queue text NOT NULL, waiting bigint NOT NULL, running bigint NOT NULL, slots bigint NOT NULL, workers bigint NOT NULL,
  PRIMARY KEY (at, queue)
) WITHOUT ROWID;

CREATE TABLE schedules (
  name text NOT NULL PRIMARY KEY,
  version bigint NOT NULL CHECK (version > 0),
  next_at bigint,
  due_at bigint,
  paused_at bigint,
  paused_by text,
  pause_reason text,
  last_task_id text,
  created_at bigint NOT NULL,
  changed_at bigint NOT NULL,
  definition text NOT NULL,
  recent text NOT NULL,
  CONSTRAINT schedules_next CHECK ((next_at IS NULL) = (due_at IS NULL))
);

CREATE INDEX schedules_due ON schedules (due_at, name) WHERE due_at IS NOT NULL;

CREATE TABLE slots (name text NOT NULL, task_id text NOT NULL, PRIMARY KEY (name, task_id)) WITHOUT ROWID;

CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  id text NOT NULL,
  queue text NOT NULL,
  name text NOT NULL,
  state text NOT NULL,
  reason text,
  priority bigint NOT NULL,
  version bigint NOT NULL,
  epoch bigint NOT NULL,
  attempt bigint NOT NULL,
  generation bigint NOT NULL,
  crashes bigint NOT NULL,
  interruptions bigint NOT NULL,
  snoozes bigint NOT NULL,
  due_at bigint NOT NULL,
  created_at bigint NOT NULL,
  claimed_at bigint,
  started_at bigint,
  finished_at bigint,
  prune_at bigint,
  lease_until bigint,
  token text,
  settled_token text,
  worker_id text,
  judge_token text,
  judge_until bigint,
  start_by bigint,
  expires_at bigint,
  check_at bigint,
  timeout_ms bigint,
  keep_ms bigint NOT NULL,
  key text,
  cancel_requested_at bigint,
  cancel_reason text,
  schema_version text,
  fingerprint text,
  options text,
  policy text NOT NULL,
  progress text,
  checkpoints text,
  error text,
  result text,
  payload text NOT NULL, grp text,
  CONSTRAINT tasks_state CHECK (state = 'queued' OR state = 'running' OR state = 'succeeded' OR state = 'scheduled' OR state = 'failed' OR state = 'cancelled' OR state = 'blocked'),
  CONSTRAINT tasks_lease CHECK ((state = 'running') = (token IS NOT NULL)),
  CONSTRAINT tasks_end CHECK ((finished_at IS NOT NULL) = (state = 'succeeded' OR state = 'failed' OR state = 'cancelled')),
  CONSTRAINT tasks_retention CHECK ((prune_at IS NOT NULL) = (finished_at IS NOT NULL)),
  CONSTRAINT tasks_check CHECK (check_at IS NULL OR state = 'queued' OR state = 'scheduled' OR state = 'blocked'),
  CONSTRAINT tasks_numbers CHECK (version > 0 AND epoch >= 0 AND attempt >= 0 AND generation > 0 AND priority >= 0 AND priority <= 9)
);

CREATE INDEX tasks_check_at ON tasks (check_at) WHERE check_at IS NOT NULL;

CREATE INDEX tasks_due ON tasks (due_at, id) WHERE state = 'scheduled';

CREATE INDEX tasks_fingerprint ON tasks (fingerprint, id) WHERE fingerprint IS NOT NULL;

CREATE UNIQUE INDEX tasks_id ON tasks (id);

CREATE INDEX tasks_judge ON tasks (judge_token) WHERE judge_token IS NOT NULL;

CREATE INDEX tasks_key ON tasks (key, id) WHERE key IS NOT NULL;

CREATE INDEX tasks_name ON tasks (name, id);

CREATE INDEX tasks_prune ON tasks (prune_at) WHERE prune_at IS NOT NULL;

CREATE INDEX tasks_ready ON tasks (queue, priority, due_at, id) WHERE state = 'queued' AND grp IS NULL;

CREATE INDEX tasks_ready_due ON tasks (queue, due_at) WHERE state = 'queued' AND grp IS NOT NULL;

CREATE INDEX tasks_ready_group ON tasks (queue, grp, priority, due_at, id, check_at) WHERE state = 'queued' AND grp IS NOT NULL;

CREATE INDEX tasks_scheduled ON tasks (id) WHERE state = 'scheduled';

CREATE INDEX tasks_state ON tasks (state, id) WHERE state = 'blocked' OR state = 'failed' OR state = 'cancelled';

CREATE TABLE timeline (seq INTEGER PRIMARY KEY, task_id text NOT NULL, at bigint NOT NULL, kind text NOT NULL, text text NOT NULL);

CREATE INDEX timeline_task ON timeline (task_id, seq);

CREATE TABLE turns (
  queue text NOT NULL,
  grp text NOT NULL,
  turn bigint NOT NULL,
  since bigint NOT NULL,
  standing bigint NOT NULL,
  PRIMARY KEY (queue, grp)
) WITHOUT ROWID;

CREATE INDEX turns_next ON turns (queue, standing, turn, since, grp);

CREATE TABLE unrecorded (task_id text NOT NULL PRIMARY KEY, seq bigint NOT NULL, at bigint NOT NULL, problem text NOT NULL) WITHOUT ROWID;

CREATE INDEX unrecorded_at ON unrecorded (at, task_id);

CREATE TABLE workers (
  worker_id text NOT NULL PRIMARY KEY, server bigint NOT NULL, started_at bigint NOT NULL, beat_at bigint NOT NULL, presence text NOT NULL,
  definitions text NOT NULL
    , last_command bigint NOT NULL DEFAULT 0, commands text, stack text) WITHOUT ROWID;
