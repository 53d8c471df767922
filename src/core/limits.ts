/** Every limit of TaskFlow in one place, each with its reason. Tests inject smaller ones. */

import { accessLimits } from './access-limits.ts';
import { connectionLimits } from './connection-limits.ts';
import { httpWorkerLimits } from './http-worker-limits.ts';
import { keptLimits } from './kept-limits.ts';
import { liveLimits } from './live-limits.ts';
import { requestLimits } from './request-limits.ts';
import { resultLimits } from './result-limits.ts';
import { searchLimits } from './search-limits.ts';

export const limits = {
  ...httpWorkerLimits,
  ...requestLimits,
  /** Tasks in one call of the seam: bounds the time one transaction holds the store. */
  batchMax: 1_000,
  /** Bytes of payload in one call of the seam: bounds memory and the time a transaction holds the store. */
  batchBytesMax: 4 * 1024 * 1024,
  /** Bytes of a batch as a request: its payloads, and for each task what is around it. */
  batchBodyBytesMax: 5 * 1024 * 1024,
  /**
   * How long a stream of tasks may bring nothing, as long as any other request may take in all; how long it goes on as long as it brings
   * something, unless `server.streamMax` says otherwise; and how long what comes of one that was stopped is still taken, so that its end is read.
   */
  streamIdleMs: 30_000,
  streamMs: 60 * 60_000,
  streamLingerMs: 2_000,
  /** Pieces of a stream that go into one call of the store: some 64 KiB each of one that is fast, and a turn of the loop each of one that is not. */
  streamPiecesMax: 8,
  /** Names without a worker that the answer to a batch tells of. */
  namesToldMax: 20,
  /** Bytes of one payload (UTF-8 JSON). Larger inputs belong in object storage, with their address in the payload. */
  payloadBytesMax: 1024 * 1024,
  /** Bytes of one result. Above, the run fails with RESULT_TOO_LARGE: a result is never cut. */
  resultBytesMax: 256 * 1024,
  /** Nesting of a payload or result: a recursive reader of 64 levels is safe in every language. */
  jsonDepthMax: 64,
  /** Steps a task remembers, bytes of one value and of all: they are read with each claim, and written again with each step. */
  stepsMax: 500,
  stepBytesMax: 256 * 1024,
  stepsBytesMax: 1024 * 1024,
  /** Paths of values that nobody is shown, and characters of one: each is followed along every key of what is shown. */
  redactPathsMax: 100,
  redactPathMax: 200,
  /** Nesting up to which hidden values are looked for; deeper text was not stored by us, and all of it is hidden. */
  redactDepthMax: 200,
  /** Keys of what is shown of which is remembered whether they lead to a hidden value: those of a hundred shapes of payloads. */
  redactStepsMax: 2_000,
  /** Policies with paths of their own that are remembered: each may be 20 kB. */
  redactPoliciesMax: 100,
  /** Hidden values whose text is looked for in errors and log lines, the shortest of them that is, and the most characters of one: a pin of three digits is in every stack. */
  secretsMax: 100,
  secretMin: 4,
  secretMax: 10_000,
  /** Characters of a task, queue, group or tag name: they are shown in tables and used in indexes. */
  nameMax: 200,
  /** Characters of a rendered key or name of a limit. */
  keyMax: 500,
  /** Characters of a template of a key, group or limit. */
  templateMax: 500,
  /** Tags on one task: they are searched by scanning. */
  tagsMax: 16,
  /** Weight of a group: above, rounding would show in the shares. */
  groupWeightMax: 1_000,
  /** Limits on one task: each costs a look-up at claim. */
  limitsPerTaskMax: 3,
  /** Slots of one limit: a claim counts those that are taken. */
  limitSlotsMax: 100_000,
  /** Starts a rate allows in its period, and the longest period: their times in microseconds stay safe integers. */
  rateCountMax: 1_000_000,
  ratePeriodMaxMs: 366 * 24 * 3_600_000,
  /** Holders of a limit that are named to a person. */
  holdersMax: 20,
  /** Plain tasks of a call that stand in line together in Redis, and the smallest claim that leaves them so: below, the rest would be written too often. */
  packMin: 20,
  /** A claim of so many of them leaves their rows to a read of its own: that way there and back costs once what it saves on each. */
  bareMin: 100,
  /**
   * A claim that meets full limits reads on behind them: so many queued tasks are looked through at once, by the store, so
   * many of them come back at most, and so often is it done for one queue: some 10 ms. The next claim goes on from there.
   */
  claimScanMax: 1_000,
  claimChunkMax: 250,
  claimReadsMax: 5,
  /**
   * Where groups wait for full limits: so many more groups than tasks are wanted are looked at by one claim, and so many tasks of
   * each, at least, for the first one without a full limit. Some 10 ms too; 10,000 groups behind one limit took 30 with 16 tasks of each.
   */
  claimGroupsMax: 400,
  claimHeadMax: 4,
  /** A claim that chose tasks which another transaction holds chooses again without them, so often in all. */
  claimPassesMax: 3,
  /** Parents a task may be enqueued with: they are looked through when it is stored. */
  dependenciesMax: 1_000,
  /** Edges that the tasks of one call bring along, `dependsOn` and `blocks` together: about half a second of the store. */
  edgesMax: 50_000,
  /** Parents a task may have in all, with those that blocked it later: its row is written anew whenever it gains some, 70 bytes each. */
  parentsMax: 10_000,
  /** Bytes of results and errors of parents that one claim carries; what is more is fetched by the run that needs it. */
  claimParentsBytesMax: 4 * 1024 * 1024,
  /** The same of one run, with what it fetches: times the slots of a worker it must fit into memory. */
  parentsBytesMax: 16 * 1024 * 1024,
  /** Tasks that are fetched at once for their results: each may have a payload of 1 MiB beside it. */
  parentsFetchMax: 20,
  /** Steps of a flow: each is a task of its own beside those it brings along, and all begin in one call. */
  flowStepsMax: 500,
  /** Unfinished tasks of a flow that one call cancels: some 300 ms of the store; the next call goes on. */
  flowCancelMax: 10_000,
  /** Children that one step lets go where it holds up everybody: some 190 ms of Redis; the next steps go on. */
  releaseMax: 5_000,
  /** Parents and children of a task that are named to a person. */
  relativesMax: 100,
  /** Characters of an error message, frames and characters per frame: a 100 MB stack must not reach the store. */
  errorMessageMax: 1_000,
  errorFramesMax: 50,
  errorLineMax: 1_024,
  /** Causes of causes kept of an error. */
  errorCausesMax: 4,
  /** Log lines kept of one attempt, and characters of one line: a chatty handler must not fill the store. */
  logLinesMax: 1_000,
  logLineMax: 4_000,
  /** Bytes of a log line's fields. */
  logFieldsBytesMax: 8_000,
  /** Characters of a progress note. */
  progressNoteMax: 200,
  /** Priorities are 0 (first) to 9 (last). */
  priorityMax: 9,
  /** Longest delay, life or retention: 10 years keeps every sum inside a safe integer and a Date. */
  durationMaxMs: 10 * 365 * 24 * 3_600_000,
  /** The last moment of the year 9999: every reader of ISO 8601 has four digits for a year. */
  atMaxMs: 253_402_300_799_999,
  /** Longest run of a task that does not say how long it may take: long enough for real work, short enough to notice. */
  timeoutMs: 3_600_000,
  /** Attempts a policy may ask for. */
  attemptsMax: 1_000,
  /** Growth of a retry delay: above, every second delay is the longest one. */
  backoffFactorMax: 1_000,
  /** A task no worker knows is looked at again after this: long enough to be cheap, short enough for a deploy. */
  unknownTaskDelayMs: 30_000,
  /** Times a task may snooze: a task that always snoozes is a loop. */
  snoozesMax: 1_000,
  /** Hand-backs after the start before one is charged: a task that never ends between two deploys must not run for free for ever. */
  interruptionsMax: 20,
  /** Crashes of a worker under a task before it is taken for the cause. */
  crashesMax: 3,
  /** Lease: 30 s survives a long garbage collection; a dead worker's tasks return within it. */
  leaseMs: 30_000,
  leaseMinMs: 1_000,
  leaseMaxMs: 3_600_000,
  /** Extra time after a timeout or cancel request before the engine ends the attempt over the worker's head. */
  graceMs: 10_000,
  /** How long a finished task of unknown policy is kept. */
  keepMs: 30 * 24 * 3_600_000,
  ...resultLimits,
  /** Tasks of single enqueues that may wait in one process for the call in flight: bounds its memory. */
  enqueueWaitingMax: 100_000,
  /** The poll behind every signal. */
  pollMs: 1_000,
  /** A worker or server that was silent for this long is shown as gone; three times this, its row is pruned. */
  presenceMs: 30_000,
  /** Queues one worker listens on: each is a look-up in a claim. */
  queuesPerWorkerMax: 100,
  /** Slots of one worker process. */
  concurrencyMax: 10_000,
  /** Slots that an answer to `stack` tells of, and characters of the whole answer: it lies beside the worker's presence. */
  stackSlotsMax: 100,
  stackTextMax: 64 * 1024,
  /** How long a command waits for its worker's word before it is answered without, and how often it looks meanwhile. */
  confirmMs: 3_000,
  confirmLookMs: 50,
  /** Rows of one page of a list. */
  pageMax: 1_000,
  /** Tasks of a queue that one look at its line tells of: more than anybody reads, and a claim of so many costs a few milliseconds. */
  peekMax: 100,
  /** Scheduled tasks of the whole store that such a look goes through for those of its queue. */
  peekScheduledMax: 200,
  /** Tasks ahead are counted up to here, then shown as "1,000+". */
  aheadMax: 1_000,
  ...searchLimits,
  /** Characters and terms of a filter. */
  filterMax: 2_000,
  filterTermsMax: 32,
  /** Values of one filter term (comma is OR), and steps of one `input.` or `output.` path. */
  filterValuesMax: 50,
  filterPathMax: 10,
  /** Rows one tick of an engine service touches. */
  tickMax: 1_000,
  /** Tasks one tick removes: 10 ms of SQLite, in which its process does nothing else; a thousand were 50. */
  pruneMax: 250,
  /** Bytes a request body may have beyond its payload: options, and escapes in the text. */
  bodyOverheadBytes: 64 * 1024,
  /** A client has this long for its headers, and for the whole request: one that sends a byte a minute holds no connection. */
  requestHeadersMs: 10_000,
  requestMs: 30_000,
  /** How long a connection may stand still in both directions: longer than any answer waits; who reads no answer for so long is gone. */
  connectionIdleMs: 120_000,
  /** Characters of a request's id that is taken from the caller: it is in the answer and in each line of the log. */
  requestIdMax: 128,
  /** Bytes of a request's headers. */
  requestHeadersBytes: 16 * 1024,
  /** How long an idle connection waits for its next request. */
  keepAliveMs: 5_000,
  /** How long a closing server waits for the requests in flight. */
  serverPatienceMs: 5_000,
  /** How far a worker claims ahead: enough to hide a round trip, too short for another worker to miss the tasks. */
  prefetchMs: 25,
  /** A claimed task that found no slot for this long goes back, so that another worker can run it. */
  prefetchHoldMs: 1_000,
  /** How long a claim that found nothing stands: a little longer than a worker takes until it asks again. */
  standMs: 2_000,
  /** How long a database knows of a worker whose claims stand no more. */
  standRowsKeptMs: 60 * 60_000,
  /** Leases shorter than so many times that do not stand: too much of them might be over when a task is handed over. */
  standLeasesMin: 2,
  /** Largest enqueue of which tasks are handed over to another process: larger ones are told, and claimed as many at once. */
  handOverMax: 16,
  handOverBytesMax: 64 * 1024,
  /** How long a process with Postgres hands nothing over behind an enqueue for which nobody waited: where tasks come all the time, few look. */
  handOverPauseMs: 20,
  /** How long handlers may start one after the other before timers and heartbeats get their turn. */
  turnMs: 10,
  /** Longest heartbeat call: after this the next one is tried, while there is still time before the lease ends. */
  beatMs: 5_000,
  /** Heartbeats of one worker without an answer: a second may go another way; more would only wait behind it, and hold up the store. */
  beatsUnderWayMax: 2,
  /**
   * The guard of a worker's event loop: how often the loop counts its turns and the guard looks, how often it beats while the
   * loop stands, and how long a stop waits for its thread. Four wake-ups a second in all, and no call of the store.
   */
  guardMs: 500,
  guardBeatMs: 1_000,
  guardStopMs: 1_000,
  /** A loop that stood for this long is told to people, with the place where it stands; and how long to look for that place. */
  loopWarnMs: 5_000,
  loopStackMs: 500,
  /** A process whose loop stood for this long ends itself: nothing else can stop a handler that computes for ever. */
  loopBlockMaxMs: 10 * 60_000,
  /** How long news of a run (start, progress, logs) gathers before it is sent ahead of the next heartbeat. */
  newsMs: 1_000,
  /**
   * How long free slots may be given nothing, or a call have no end, before a worker doubts its way to the store, and how often it looks.
   * Every driver gives up a call before that. For so long people are told of it.
   */
  stallMs: 30_000,
  stallLookMs: 5_000,
  stallToldMs: 10 * 60_000,
  /** Stopping: how long handlers are waited for, how long after their abort, and how long settlements are flushed. */
  drainMs: 25_000,
  abortMs: 5_000,
  flushMs: 5_000,
  /** Refusals of one settlement before it is given up: enough to see that it is not the store's day but the settlement. */
  refusalsMax: 5,
  /** Share of a worker's slots that may be opened in place of handlers which ignore their abort. */
  stuckShareMax: 0.1,
  /** Tasks that are due within this time of one another are promoted together: each alone would be a commit. */
  promoteGrainMs: 10,
  /** Periods of the engine's services. What is due is promoted at its time; its period is for hints that were lost. */
  promoteMs: 1_000,
  reapMs: 5_000,
  pruneMs: 60_000,
  /** How often tasks of committed transactions are looked for that wait for a broker in no database; `afterCommit` looks at once. */
  relayMs: 1_000,
  /**
   * Such tasks that may wait, and that may lie aside because the broker does not take them, before a transaction is refused one
   * more: some minutes of a broker that is down, and a mistake somebody must look at.
   */
  relayWaitingMax: 100_000,
  relayAsideMax: 1_000,
  /** What a relay has read is pushed within this time, or read again: whoever stood still longer may push what is long done. */
  relayFreshMs: 60_000,
  ...connectionLimits,
  /** So many settlements that wait behind a call are worth one of their own, where calls may overlap. */
  settleAsideMin: 50,
  /** So many tasks that are enqueued one by one at the same time are worth a second call, where calls may overlap. */
  enqueueAsideMin: 25,
  /** Longest back-off of a loop whose store fails: the work resumes within this time of its return. */
  backoffMaxMs: 5_000,
  /** Memory of a process of an isolated task, MB: of its values, and with all that Node itself and buffers need. */
  isolateMemoryMb: 512,
  isolateMemoryMinMb: 32,
  isolateMemoryMaxMb: 1024 * 1024,
  isolateOverheadMb: 128,
  /** How often its watching thread looks at memory and parent: a bomb of 1 GB a second is found within half of one. */
  isolateLookMs: 250,
  /** How long a process may take to start and load its task's file. */
  isolateStartMs: 30_000,
  /** Runs of one process: what a library leaks in each of them must not add up for ever. */
  isolateRunsMax: 1_000,
  /** A process that has used more than this share of its memory after a run is not used again. */
  isolateFullShare: 0.75,
  /** A spare process that was not needed for this long ends. */
  isolateIdleMs: 30_000,
  /** How long an idle process may take to end by itself, and the last output of a dead one to arrive. */
  isolateExitMs: 1_000,
  /** Last lines of stderr that are kept with the error of a process that died. */
  isolateTailLines: 20,
  /** Files and depth of folders looked through for tasks: a mistyped folder must not read a whole disk. */
  taskFilesMax: 10_000,
  taskFolderDepthMax: 16,
  /** Characters of a cron expression: longer ones take time to read, and nobody reads them. */
  cronMax: 200,
  /** How far ahead the next time of a cron expression is looked for: beyond it, it counts as never. */
  cronSearchMs: 5 * 366 * 24 * 3_600_000,
  /** Shortest interval of a schedule: below, the store would do little else. */
  everyMinMs: 1_000,
  /** A firing this late is still on time: a deploy within a minute misses no run. Also the resolution of cron. */
  firingGraceMs: 60_000,
  /** Missed times one schedule may catch up on at once, and how many it does when nobody says. */
  catchUpMax: 1_000,
  catchUpDefault: 100,
  catchUpWithinMs: 7 * 24 * 3_600_000,
  /** Missed times are counted up to here, then shown as "1,000+". */
  missedMax: 1_000,
  /** What is remembered of the last firings and skips of a schedule: a row must not grow for ever. */
  firingsKept: 20,
  /** Times one backfill may ask for: more are several calls, so that a slip of the year is not a million tasks. */
  backfillMax: 1_000,
  /** Due schedules one tick looks at: its firings are one transaction. */
  schedulesPerTickMax: 500,
  /** The poll of schedules when none is due sooner: new ones are signalled, so this is for lost signals and clocks that step. */
  schedulePollMs: 10_000,
  /**
   * Tasks in events that wait for the recorder, about 50 bytes each. With more the record has been away for long: new work is
   * refused before the memory of the live store is full.
   */
  outboxMax: 1_000_000,
  /** Bytes of payloads and results that the recorder reads at once: with what it makes of them it holds a few times that. */
  bodiesBytesMax: 4 * 1024 * 1024,
  /** Tasks that the recorder stores at once. A transaction of this size costs little more for each than a larger one. */
  recordMax: 5_000,
  /** Tasks of which the recorder remembers what it recorded, up to twice as many, about 100 bytes each. */
  versionsMax: 50_000,
  /** How long the recorder waits for news. While there are none it looks that often whether the live store is the same. */
  recordWaitMs: 5_000,
  /**
   * Shortest time from one look of the recorder to the next while less comes than is stored at once: what a task goes through meanwhile is
   * stored once, and nobody sees it in the record later than a person can tell. The first that comes after a while waits for nothing.
   */
  recordPaceMs: 100,
  /** How far the record may be behind while the recorder gives way to whoever works: from there on it takes all it can get. */
  recordBehindMs: 2_000,
  /** The pause after a look that brought nothing: that is also how long a store that cannot be waited for may be unread. */
  recordIdleMs: 100,
  /** How long somebody who asks how things are waits for the record: without it the live store tells what it can. */
  recordAskMs: 2_000,
  /** How long a live store that is not the record keeps a finished task: what asks for it meanwhile needs no record. */
  liveKeepMs: 5 * 60_000,
  /** Queues that have a label of their own in metrics; the others are one: each is some fifteen series of Prometheus. */
  metricsQueuesMax: 200,
  /** Metrics are read from the store once in this time, however many scrape. */
  metricsCacheMs: 1_000,
  /** Requests that are remembered until the library that counts them is loaded, at the first scrape. */
  metricsEarlyMax: 10_000,
  /** Characters of one line of the log of a process: an error may quote what somebody sent. */
  logMessageMax: 8_000,
  /** How long a probe waits for the store before it says that this server is not ready. */
  readyAskMs: 2_000,
  ...accessLimits,
  /** A look for signs of trouble serves every page of a server for so long: it is a few searches, and none of them changes in a moment. */
  signsMs: 5_000,
  /** For so long after that it is told once more, while a new look is made behind it: what grows is known by the minute. And how long behind a request that begins. */
  signsStaleMs: 60_000,
  signsBehindMs: 50,
  /** Kinds of errors, and schedules, that it looks at. */
  signsMax: 50,
  /** How long an error is muted where nobody says. */
  errorMuteMs: 7 * 86_400_000,
  /** How long one may be; marks of errors that are looked at, and how far back: the audit keeps them. */
  errorMuteMsMax: 30 * 86_400_000,
  errorMarksMax: 500,
  errorMarksMs: 90 * 86_400_000,
  /** Tasks of a bulk operation done in one step of the store, so that it holds nobody up; failures of it that are kept. */
  bulkPageMax: 100,
  bulkFailuresMax: 100,
  /** Tasks that are counted before a bulk operation, and the time for it; those that are shown. */
  bulkCountMax: 10_000,
  bulkCountMs: 5_000,
  bulkSampleMax: 10,
  /** Tasks named one by one in a bulk operation: twice a page of the list, each list of operations holds them all. */
  bulkIdsMax: 100,
  /** Time in which a bulk operation can be stopped before anything has happened. */
  bulkUndoMs: 10_000,
  /** The poll of a server for bulk operations behind the signals; how long after one that names no queue it looks. */
  operatorMs: 60_000,
  operatorHintMs: 5_000,
  ...keptLimits,
  ...liveLimits,
} as const;

/** The shape of {@link limits}, for code that takes them as a parameter. */
export type Limits = { readonly [Name in keyof typeof limits]: number };
