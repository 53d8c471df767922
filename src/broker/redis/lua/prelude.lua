-- What every script starts with: the store's clock, tasks by their ids, and one write of all that was changed.
--
-- KEYS[1] is the prefix `{namespace}:`. No script touches a key outside of it, so that a namespace is one hash slot.
-- ARGV[1] is empty, or the time that a test gives in place of the server's.
-- Redis does not roll back. So a script reads and checks first, keeps what it wants in tables, and calls `write` at its
-- end, where nothing is left that could fail. Payloads, results, errors and logs are opaque: they are never decoded.

local prefix, call = KEYS[1], redis.call

-- A row is what never changes of a task: these values packed one after the other, then the payload to its end.
--   shape, createdAt, dueAt, startBy, expiresAt, key, aside, group, more (JSON of the rarest fields)
local ROW_SHAPE, ROW_VALUES = 2, 8

-- A head is what changes, one packed list. A task that nobody has touched has none: its row says it all.
local STATE, SHAPE, VERSION, EPOCH, ATTEMPT, GENERATION, CRASHES, INTERRUPTIONS, SNOOZES = 1, 2, 3, 4, 5, 6, 7, 8, 9
local REASON, DUE_AT, START_BY, EXPIRES_AT, WORKER_ID, CLAIMED_AT, STARTED_AT = 10, 11, 12, 13, 14, 15, 16
local FINISHED_AT, PRUNE_AT, CANCEL_AT, TOKEN, SETTLED_TOKEN, JUDGE_TOKEN, JUDGE_UNTIL = 17, 18, 19, 20, 21, 22, 23
-- The key, and a letter for each text that is kept beside the head.
local KEY, ASIDE, GROUP = 24, 25, 26

-- A shape is what the tasks of one definition share, a JSON list stored once; scripts read its first values.
local NAME, QUEUE, PRIORITY, TIMEOUT_MS, KEEP_MS, STRICT_CANCEL, IF_EXISTS, KEY_FOR_MS = 1, 2, 3, 4, 5, 6, 7, 8

-- The hashes of the texts that only some tasks have, by their letters. Of h there is none: it says that others name the task
-- as a parent.
local besides = { e = 'errors', r = 'results', p = 'progress', c = 'checkpoints', w = 'words', l = 'rules', d = 'parents' }

local stored = call('HMGET', prefix .. 'store', 'now', 'seq', 'shapes', 'trimmed')
local now = ARGV[1]
if now == '' then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
now = math.max(tonumber(now), tonumber(stored[1]) or 0)
local seq, shapeCount, trimmed = tonumber(stored[2]) or 0, tonumber(stored[3]) or 0, tonumber(stored[4]) or 0

-- What `write` will do: fields of hashes, members of sorted sets and sets (false is gone), sums, ends of lists, whole keys
-- that go.
local puts, scores, members, sums, pushes, gone = {}, {}, {}, {}, {}, {}
-- Tasks as they are now, false for unknown ones; which of them have a new head; rows and heads as they are stored.
local tasks, dirty, rows, packed = {}, {}, {}, {}
local shapes, shapeTexts = {}, {}
-- By kind: groups of { what the items share …, their ids }.
local events = {}
-- For whoever waits: queues that got work, each once, and the time of the first task that was scheduled.
local work, hasWork, firstDueAt = {}, {}, nil

local function set(tables, name, field, value)
  local fields = tables[name]
  if not fields then
    fields = {}
    tables[name] = fields
  end
  fields[field] = value
end

local function add(name, field, delta)
  set(sums, name, field, (sums[name] and sums[name][field] or 0) + delta)
end

local function push(name, text)
  if not pushes[name] then pushes[name] = {} end
  table.insert(pushes[name], text)
end

local function words(text)
  local list, n = {}, 0
  for word in string.gmatch(text, '[^ ]+') do
    n = n + 1
    list[n] = word
  end
  return list
end

local function isFinished(state)
  return state == 'succeeded' or state == 'failed' or state == 'cancelled'
end

local function isWaiting(state)
  return state == 'queued' or state == 'scheduled' or state == 'blocked'
end

-- Until when a finished task is kept here: the record keeps it for its whole time.
local function leavesAt(task)
  return math.min(task[PRUNE_AT], now + limits.liveKeepMs)
end

local function viewOf(task)
  local state, reason = task[STATE], task[REASON]
  if state == 'scheduled' and task[ATTEMPT] >= 1 then return 'retrying' end
  if state == 'cancelled' and reason == 'expired' then return 'expired' end
  if state == 'failed' and reason == 'crash_loop' then return 'quarantined' end
  return state
end

local function loadShapes(ids)
  local missing = {}
  for _, id in ipairs(ids) do
    if shapes[id] == nil then
      shapes[id] = false
      missing[#missing + 1] = id
    end
  end
  if #missing == 0 then return end
  local texts = call('HMGET', prefix .. 'shapes', unpack(missing))
  for i, id in ipairs(missing) do
    shapes[id], shapeTexts[id] = cjson.decode(texts[i]), texts[i]
  end
end

-- The id of a shape, new when nobody has sent it before.
local function shapeIdOf(text)
  local id = tonumber(call('HGET', prefix .. 'shapeIds', text) or (puts.shapeIds and puts.shapeIds[text]))
  if not id then
    shapeCount = shapeCount + 1
    id = shapeCount
    set(puts, 'shapes', id, text)
    set(puts, 'shapeIds', text, id)
    set(puts, 'store', 'shapes', id)
  end
  shapes[id], shapeTexts[id] = cjson.decode(text), text
  return id
end

local function freshTask(row)
  local _, shape, createdAt, dueAt, startBy, expiresAt, key, aside, group = cmsgpack.unpack_limit(row, ROW_VALUES, 0)
  local state = dueAt > createdAt and 'scheduled' or 'queued'
  return {
    state, shape, 1, 0, 0, 1, 0, 0, 0, false, dueAt, startBy, expiresAt, false, false, false,
    false, false, false, false, false, false, false, key, aside, group,
  }
end

-- Reads the tasks of these ids that are not known yet, with their shapes; their rows too when they are asked for.
local function load(ids, withRows)
  local missing, rowless, shapeIds = {}, {}, {}
  for _, id in ipairs(ids) do
    if tasks[id] == nil then
      tasks[id] = false
      missing[#missing + 1] = id
    end
    if withRows and not rows[id] then rowless[#rowless + 1] = id end
  end
  local heads = #missing > 0 and call('HMGET', prefix .. 'heads', unpack(missing)) or {}
  if not withRows then
    for i, id in ipairs(missing) do
      if not heads[i] and not rows[id] then rowless[#rowless + 1] = id end
    end
  end
  if #rowless > 0 then
    local found = call('HMGET', prefix .. 'tasks', unpack(rowless))
    for i, id in ipairs(rowless) do
      rows[id] = found[i] or (puts.tasks and puts.tasks[id])
    end
  end
  for i, id in ipairs(missing) do
    local head, row = heads[i], rows[id]
    packed[id] = head or nil
    tasks[id] = head and cmsgpack.unpack(head) or (row and freshTask(row))
    if tasks[id] then shapeIds[#shapeIds + 1] = tasks[id][SHAPE] end
  end
  loadShapes(shapeIds)
end

local function setAside(id, task, letter, text)
  local has = string.find(task[ASIDE], letter, 1, true)
  if text then
    set(puts, besides[letter], id, text)
    if not has then task[ASIDE] = task[ASIDE] .. letter end
  elseif has then
    set(puts, besides[letter], id, false)
    task[ASIDE] = string.gsub(task[ASIDE], letter, '')
  end
end
