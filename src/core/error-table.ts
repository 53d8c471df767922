/** Every error a user can meet: one table of codes with status, exit code and words. The docs page is made from it. */

export interface ErrorKind {
  /** HTTP status of the answer. */
  readonly status: number;
  /** Exit code of the command line: 1 failed, 2 usage, 3 task failed, 4 not found, 5 access, 6 connection, 7 conflict, 8 timeout, 9 checks. */
  readonly exitCode: number;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  /** What happened and why; `{name}` is filled from the parameters. */
  readonly message: string;
  /** The next thing to do. */
  readonly hint?: string;
}

const kind = (status: number, exitCode: number, message: string, hint?: string, retryable = false): ErrorKind => ({
  status,
  exitCode,
  retryable,
  message,
  ...(hint === undefined ? {} : { hint }),
});

/** The table. A code is a promise: it never changes its meaning. */
export const errorTable = {
  // input
  INVALID_INPUT: kind(400, 2, 'The input of {name} is not valid: {problems}'),
  INVALID_OPTION: kind(400, 2, '{what} is not valid: {problem}'),
  INVALID_FLOW: kind(400, 2, 'The flow is not valid at {path}: {problem}.', 'Nothing of it was stored.'),
  INVALID_ID: kind(
    400,
    2,
    '"{text}" is not a task id: {problem}',
    'An id has 26 characters, such as 01K8Q2M4ZJF0C9YF4V7Z0B2HNX.',
  ),
  INVALID_FILTER: kind(400, 2, '{problem}'),
  REDACTED_FIELD: kind(400, 2, '{path} is hidden here: nobody can search by it.', 'Search by an id, a key or a tag.'),
  REDACTED_VALUE: kind(400, 2, '{what} has "[redacted]" where a value is hidden.', 'Send the value, or retry a task.'),
  INVALID_JSON: kind(400, 2, '{what} is not valid JSON: {problem}'),
  PAYLOAD_TOO_LARGE: kind(413, 2, '{what} is larger than {max}.', 'Store large data elsewhere and pass its address.'),
  PAYLOAD_TOO_DEEP: kind(400, 2, '{what} is nested deeper than {max} levels at {path}.'),
  PAYLOAD_NOT_JSON: kind(400, 2, '{what} cannot be written as JSON at {path}: {problem}'),
  BATCH_TOO_LARGE: kind(413, 2, 'A call may carry at most {max}; this one has {actual}.', 'Split it into several.'),
  ENQUEUE_OVERLOADED: kind(
    429,
    1,
    'More than {max} tasks wait to be enqueued in this process.',
    'Await earlier calls, or use enqueueMany.',
    true,
  ),
  STREAM_TOO_LONG: kind(
    413,
    2,
    'The stream went on for longer than {max}; {lines} of its lines are answered.',
    'Send the lines behind the last answered one in another stream.',
  ),
  STREAM_STALLED: kind(408, 2, 'Nothing came of the stream for {max}.', 'Send the lines that were not answered again.'),
  CLAIMS_OVERLOADED: kind(429, 1, 'More than {max} claims wait at this server.', 'Claim again later.', true),
  INVALID_OUTPUT: kind(422, 1, 'What {name} returned is not valid: {problems}'),
  RESULT_TOO_LARGE: kind(
    422,
    1,
    'The result is larger than {max}.',
    'Store large results elsewhere and return the address.',
  ),
  PARENTS_TOO_LARGE: kind(
    422,
    1,
    'The results of the tasks it waited for are larger than {max} together.',
    'Let them store large results elsewhere and return the address, or gather the results in stages.',
  ),
  STEP_TOO_LARGE: kind(
    422,
    1,
    '{what} is larger than {max}.',
    'Let a step keep what later steps need, and store large data elsewhere.',
  ),
  STEP_NAME_TAKEN: kind(
    409,
    1,
    'Two steps of one run are named "{name}".',
    'Name each for what it works on, with its id for instance.',
  ),
  TX_NOT_JOINABLE: kind(
    400,
    2,
    'This cannot be part of your transaction: {problem}.',
    'Give the connection that the transaction is open on; it has to lead to the database of the store.',
  ),
  // conflicts and absences
  TASK_NOT_FOUND: kind(
    404,
    4,
    'There is no task {id}.',
    'It may have been removed after its retention: see keep.succeeded and keep.failed.',
  ),
  QUEUE_NOT_FOUND: kind(404, 4, 'There is no queue "{name}".'),
  RELAY_TASK_NOT_FOUND: kind(404, 4, 'The relay has set no task {id} aside.', 'taskflow relay list'),
  WORKER_NOT_FOUND: kind(404, 4, 'There is no worker "{name}".', 'taskflow worker list'),
  TASK_NOT_DEFINED: kind(404, 4, 'No task file of this project defines "{name}".', 'Name other folders with --tasks.'),
  OPERATION_NOT_FOUND: kind(404, 4, 'There is no bulk operation {id}.'),
  ERROR_NOT_FOUND: kind(404, 4, 'No failed task has an error with the fingerprint {fingerprint}.'),
  DEFINITION_NOT_FOUND: kind(404, 4, 'No living worker knows a task "{name}".', 'taskflow worker list'),
  SETTING_NOT_FOUND: kind(404, 4, 'There is no setting "{name}".', 'taskflow config list'),
  NOT_FOUND: kind(404, 4, 'There is nothing at {path}.'),
  ID_CONFLICT: kind(
    409,
    7,
    'A different task with the id {id} exists already.',
    'An id stands for one call of enqueue: send the same body, or leave the id out.',
  ),
  KEY_CONFLICT: kind(
    409,
    7,
    'The key "{key}" is held by task {holder}.',
    "Use ifExists: 'return' to get that task instead.",
  ),
  TASK_FINISHED: kind(409, 7, 'Task {id} has finished already ({state}).'),
  RELAY_TASK_REFUSED: kind(
    409,
    7,
    'The broker does not take task {id}: {problem}',
    'taskflow relay drop {id}   when it is of no use any more',
  ),
  SCHEDULE_UNREADABLE: kind(
    409,
    1,
    'Schedule {name} cannot be fired here: {problem}.',
    'It holds up no other. A newer version or another machine may know it; else delete it, or store it again from its code.',
  ),
  TASK_NOT_WAITING: kind(
    409,
    7,
    'Task {id} does not wait ({state}).',
    'Only what waits can be changed: cancel it, or wait for its next attempt.',
  ),
  TASK_CHANGED: kind(
    409,
    7,
    'Task {id} was changed meanwhile: it has version {version} now.',
    'Look at it again, and send the change with that version.',
  ),
  TASK_NOT_FINISHED: kind(409, 7, 'Task {id} has not finished ({state}).'),
  DUPLICATE_TASK_NAME: kind(409, 2, 'Two tasks are named "{name}": {files}.', 'Rename one of them.'),
  DUPLICATE_SCHEDULE_NAME: kind(409, 2, 'Two schedules are named "{name}": of {tasks}.', 'Rename one of them.'),
  FLOW_NOT_FOUND: kind(404, 4, 'There is no flow {id}.', 'taskflow flow list'),
  SCHEDULE_NOT_FOUND: kind(404, 4, 'There is no schedule "{name}".', 'taskflow schedule list'),
  // tasks and results
  TASK_FAILED: kind(422, 3, 'Task {name} {id} failed: {message}'),
  TASK_CANCELLED: kind(409, 3, 'Task {name} {id} was cancelled ({reason}).'),
  RESULT_TIMEOUT: kind(408, 8, 'Task {id} has not finished within {timeout}; it is {state}.', 'taskflow explain {id}'),
  LEASE_LOST: kind(409, 1, 'The lease of task {id} was lost; another worker may run it.'),
  TX_NOT_COMMITTED: kind(
    409,
    1,
    'The run of task {id} completed in a transaction that was not committed when its handler returned.',
    'Commit before the handler returns; where that fails, let the error out.',
  ),
  HANDLER_TIMEOUT: kind(422, 3, 'The run took longer than {timeout}.'),
  WORKER_STOPPING: kind(503, 1, 'The worker is stopping.', undefined, true),
  ISOLATION_NEEDS_FILE: kind(
    422,
    2,
    'The task {name} is to run in a process of its own, and its file is not known.',
    'Add file: import.meta.url to its options, or put it into a folder that taskflow looks through.',
  ),
  TASK_FILE_FAILED: kind(422, 2, 'The task file {file} could not be loaded: {problem}'),
  DRAIN_UNFINISHED: kind(
    500,
    1,
    'After {max} runs there is still work to do.',
    'A task may enqueue itself; a longer walk is drain({ max: … }).',
  ),
  // store
  STORE_URL_INVALID: kind(
    400,
    2,
    'The broker URL "{url}" is not valid: {problem}',
    'Examples: sqlite:./.taskflow/taskflow.db, sqlite::memory:, postgres://user@localhost:5432/database',
  ),
  STORE_UNREACHABLE: kind(503, 6, 'Cannot reach the store: {problem}', undefined, true),
  STORE_LOCKED: kind(
    503,
    6,
    'The database {file} is locked by another process: {problem}',
    'Find it with: lsof {file}',
    true,
  ),
  STORE_READ_ONLY: kind(
    503,
    6,
    'The database {file} cannot be written: {problem}',
    'Check the owner and the mode of the file and of its folder.',
  ),
  STORE_FULL: kind(
    507,
    6,
    'The disk of {file} is full.',
    'Free some space; running tasks can still end and nothing accepted is lost.',
    true,
  ),
  STORE_OUT_OF_MEMORY: kind(
    507,
    6,
    'Redis has no memory left for more tasks.',
    'Raise its maxmemory, or let workers end what waits; running tasks can still end and nothing accepted is lost.',
    true,
  ),
  OUTBOX_FULL: kind(
    503,
    6,
    'The record is {pending} changes of tasks behind: nothing new is taken until it follows.',
    'See that a server runs (taskflow server start) and why it cannot write the record: taskflow db status',
    true,
  ),
  RECORD_MISSING: kind(
    400,
    2,
    '{what} needs the record, and none is configured.',
    'Say where finished tasks are recorded: --store postgres://… or --store sqlite:./.taskflow/record.db',
  ),
  RECORD_ELSEWHERE: kind(
    409,
    6,
    'The record does not belong to this live store: {problem}.',
    'Give each live store a record of its own (--store), or take both URLs from the same configuration everywhere.',
  ),
  RECORD_IS_LIVE: kind(
    409,
    6,
    'The database that should be the record has {count} live tasks of its own.',
    'Record in a database or namespace of its own; what waits here can be worked off with this one as the broker.',
  ),
  STORE_EVICTS: kind(
    500,
    6,
    'Redis would drop tasks when its memory is full: its maxmemory-policy is {policy}.',
    'redis-cli config set maxmemory-policy noeviction, and the same line in redis.conf',
  ),
  STORE_WEAK: kind(
    500,
    9,
    '{server} keeps less than was asked for: {detail} is {durability}, not {wanted}.',
    'Change the setting, or ask for less in the URL: ?durability=standard or ?durability=any',
  ),
  STORE_REPLACED: kind(
    503,
    6,
    'The data of the store was wiped or replaced while it was in use.',
    'Sent again, the call works on what is there now.',
    true,
  ),
  STORE_CORRUPT: kind(
    500,
    6,
    'The database {file} is damaged: {problem}',
    'Stop TaskFlow, keep a copy of the file, and restore a backup or run: sqlite3 {file} .recover',
  ),
  STORE_ON_NETWORK: kind(
    500,
    6,
    'The database {file} is on a network file system ({type}), where SQLite cannot lock safely.',
    'Put it on a local disk.',
  ),
  STORE_FOREIGN: kind(
    409,
    6,
    'The database has a table "{table}" that is not of TaskFlow.',
    'Give TaskFlow a database of its own.',
  ),
  STORE_TOO_NEW: kind(
    500,
    6,
    'The database has schema {found}, this program knows {known}.',
    'Update taskflowjs on this machine.',
  ),
  STORE_TOO_OLD: kind(
    500,
    6,
    'The namespace has data in the layout {found} of an earlier program, this program needs {known}.',
    'Name another namespace, or move the data: with the earlier program, taskflow db move into a file; with this one, from there.',
  ),
  STORE_NOT_MIGRATED: kind(
    500,
    9,
    'The database has schema {found}, this program needs {known}.',
    'taskflow db migrate   (with --broker and its URL where it is not the configured one)',
  ),
  STORE_CLOSED: kind(503, 6, 'The store is closed.'),
  RELAY_FULL: kind(503, 6, 'No more tasks can be in your transactions now: {problem}.', 'taskflow relay list', true),
  STORE_IN_USE: kind(
    409,
    7,
    'The store is in use: {workers}.',
    'Stop its servers and workers first, or insist with --force: what they do meanwhile is not moved.',
  ),
  STORE_NOT_EMPTY: kind(
    409,
    7,
    'The target has data of its own: {found}.',
    'Move into a new file, database or namespace.',
  ),
  RELAY_NOT_EMPTY: kind(
    409,
    7,
    'The broker does not take {count} tasks of your transactions, which would be left behind.',
    'taskflow relay list   says why; retry or drop each of them first',
  ),
  MOVE_INCOMPLETE: kind(
    409,
    7,
    'The sides differ in {table}: {source} rows in the source, {target} in the target.',
    'Something wrote to one of them meanwhile. Stop what enqueues, and move again into an empty target; the source is as it was.',
  ),
  NOT_SUPPORTED: kind(501, 1, '{what} is not supported by this version yet.'),
  // configuration and surfaces
  INVALID_CONFIG: kind(400, 2, 'The configuration has {count} mistake(s):\n{problems}', 'taskflow config validate'),
  PORT_IN_USE: kind(500, 1, 'Port {port} on {host} is in use.', 'Use another one: --port {next}'),
  INSECURE_BIND: kind(
    500,
    2,
    'Refusing to listen on {host} without authentication.',
    'Ask for keys with --auth token, listen on 127.0.0.1, or insist with --insecure.',
  ),
  NOT_READY: kind(
    503,
    6,
    'The server is not ready: {problem}.',
    'It says more to who may look: taskflow server status',
    true,
  ),
  SERVER_UNREACHABLE: kind(503, 6, 'Cannot reach the server at {host}: {problem}', 'taskflow server status', true),
  SERVER_ANSWER_UNKNOWN: kind(502, 6, 'What answers at {host} is no TaskFlow, or a newer one (status {status}).'),
  SERVER_NOT_RUNNING: kind(503, 6, 'No server is running ({where}).', 'taskflow server start'),
  SERVER_RUNNING: kind(409, 7, 'A server is running already (pid {pid}, {url}).', 'taskflow server stop'),
  SERVER_NOT_STARTED: kind(500, 1, 'The server did not start: {problem}'),
  STOP_TIMEOUT: kind(
    504,
    8,
    'The server (pid {pid}) has not stopped within {timeout}.',
    'kill -9 {pid}   (its running tasks are run again when their lease ends)',
  ),
  USAGE: kind(400, 2, '{problem}'),
  UNAUTHENTICATED: kind(
    401,
    5,
    'Not let in: {problem}.',
    'Send a key as "Authorization: Bearer tf_…"; taskflow token create makes one.',
  ),
  TOO_MANY_TRIES: kind(
    429,
    5,
    'There were too many wrong keys: the next try may be made in {seconds} s.',
    'Nobody is locked out: wait, and use the right one.',
    true,
  ),
  TOO_MANY_KEYS: kind(
    409,
    7,
    'There are {max} keys already.',
    'taskflow token list   shows which are of no use any more',
  ),
  KEY_NOT_FOUND: kind(404, 4, 'There is no key {id}.', 'taskflow token list'),
  SESSION_NOT_FOUND: kind(404, 4, 'There is no session {id}.', 'It may have ended.'),
  LIVE_FULL: kind(
    429,
    1,
    '{whose} has {max} live connections, which is as many as it may have.',
    'Close one, let one connection follow several topics, or ask again and again instead.',
    true,
  ),
  FORBIDDEN: kind(403, 5, '{operation} needs the role {needed}; {actor} is {role}.'),
  QUEUE_FORBIDDEN: kind(403, 5, 'The key of {actor} is for the queues {queues}, not for "{queue}".'),
  SCOPE_MISSING: kind(403, 5, '{operation} needs the scope {needed}; the key of {actor} has {given}.'),
  HOST_NOT_ALLOWED: kind(
    403,
    5,
    'This server does not answer for the host "{host}".',
    'Use http://127.0.0.1:{port}, or name the host in the configuration.',
  ),
  CROSS_ORIGIN: kind(403, 5, 'A page of another origin ({origin}) may not change anything here.'),
  METHOD_NOT_ALLOWED: kind(405, 2, '{method} is not allowed here.', 'Allowed: {allowed}'),
  UNSUPPORTED_MEDIA_TYPE: kind(415, 2, 'The body must be {wanted}, not {type}.'),
  UNCAUGHT: kind(
    500,
    1,
    'An error that nobody caught: {problem}',
    'Whatever a task starts must be awaited or caught there: a timer, a stream, a promise left alone.',
  ),
  INTERNAL: kind(500, 1, 'Something went wrong inside TaskFlow: {problem}', 'Please report it with the log.'),
} as const satisfies Record<string, ErrorKind>;

/** A code of {@link errorTable}. */
export type ErrorCode = keyof typeof errorTable;

export const errorCodes = Object.keys(errorTable) as readonly ErrorCode[];
