-- What every operation starts with: the store's clock, tasks by their ids, and one write of all that was changed.
--
-- KEYS[1] is the prefix `{namespace}:`. No script touches a key outside of it, so that a namespace is one hash slot.
-- ARGV[1] is the incarnation that the caller knows, 32 characters, or dashes for whatever is there. With another's data, or none,
-- a script does nothing. Behind it, where the script is to tell others itself, "!" and the 32 characters of who calls; and behind
-- that the time that a test gives in place of the server's.
-- Redis does not roll back. So a script reads and checks first, keeps what it wants in tables, and calls `write` at its
-- end, where nothing is left that could fail. Payloads, results, errors and logs are opaque: they are never decoded.

local prefix, ARGV, call

-- The functions of a library stay from one call to the next, and so would what they keep: every part says here how a call begins it anew.
local anew = {}

-- `fresh` is an empty table, mostly the one that is there: most calls leave most tables empty, and to make one costs ten times as much as
-- to look. It is written out where it stands (scripts.ts), which takes half as long as a call, fifty times in each.

-- A row is what never changes of a task, a head what does; a task that nobody has touched has no head. Both begin with what tasks that
-- came, or went on, together have in common, its length in two bytes before it: of a head the list of values below, of a row
--   shape, createdAt, dueAt, startBy, expiresAt, aside
-- Behind it is what is a task's own: in a row key, group, more (JSON of the rarest fields) and the payload to its end, in a head key and
-- group if it has either, and a small result to its end. In a script tasks with the same head go as one, a crowd: a list of ids in the place of an id.
local STATE, SHAPE, VERSION, EPOCH, ATTEMPT, GENERATION, CRASHES, INTERRUPTIONS, SNOOZES = 1, 2, 3, 4, 5, 6, 7, 8, 9
local REASON, DUE_AT, START_BY, EXPIRES_AT, WORKER_ID, CLAIMED_AT, STARTED_AT = 10, 11, 12, 13, 14, 15, 16
local FINISHED_AT, PRUNE_AT, CANCEL_AT, TOKEN, SETTLED_TOKEN, JUDGE_TOKEN, JUDGE_UNTIL = 17, 18, 19, 20, 21, 22, 23
-- A letter for each text that is kept beside the head.
local ASIDE = 24
-- Bytes of a result that stands in the head: most are small. A larger one would be read with each look at its task.
local RESULT_MAX = 200

-- A shape is what the tasks of one definition share, a JSON list stored once; scripts read its first values.
local NAME, QUEUE, PRIORITY, TIMEOUT_MS, KEEP_MS, STRICT_CANCEL, IF_EXISTS, KEY_FOR_MS = 1, 2, 3, 4, 5, 6, 7, 8

-- The hashes of the texts that only some tasks have, by their letters. Of five there is none: k and g say that a task has a key and
-- a group, h that others name it as a parent, a that its runs have left attempts or log lines, i that its result stands in the head.
local besides = { e = 'errors', r = 'results', p = 'progress', c = 'checkpoints', w = 'words', l = 'rules', d = 'parents' }

-- The time of the call and who is to be told by it; whose data this is, the last event, the last shape, and up to where events were trimmed.
local now, teller, incarnation, seq, shapeCount, trimmed
-- What `write` will do: fields of hashes, members of sorted sets and sets (false is gone), sums, ends of lists, whole keys
-- that go.
local puts, scores, members, sums, pushes, gone
-- Tasks as they are now, false for unknown ones; which of them have a new head; rows as they are stored; what heads have in common by task;
-- keys and groups, packed and each by itself.
local tasks, dirty, rows, packed, owns, ownKeys, ownGroups
-- Results that stand in heads, by task, and by the crowds that got theirs in this call.
local results, crowdResults
local idTexts
local shapes, shapeTexts
-- By kind: groups of { what the items share …, their ids }.
local events
-- For whoever waits: queues that got work, each once, and the time of the first task that was scheduled.
local work, hasWork, firstDueAt

-- What texts of shapes and of forms say is kept from one call to the next, as far as a server may lose it without a thought: reading them is a
-- tenth of a small call.
local TEXTS_KEPT = 1000
local shapesRead, shapesReadCount = {}, 0

function anew.prelude()
  if shapesReadCount > TEXTS_KEPT then shapesRead, shapesReadCount = {}, 0 end
  puts, scores, members, sums = fresh(puts), fresh(scores), fresh(members), fresh(sums)
  pushes, gone, events, work, hasWork, firstDueAt = fresh(pushes), fresh(gone), fresh(events), fresh(work), fresh(hasWork), nil
  tasks, dirty, rows, packed = fresh(tasks), fresh(dirty), fresh(rows), fresh(packed)
  results, crowdResults, idTexts = fresh(results), fresh(crowdResults), fresh(idTexts)
  owns, ownKeys, ownGroups, shapes, shapeTexts = fresh(owns), fresh(ownKeys), fresh(ownGroups), fresh(shapes), fresh(shapeTexts)
end

-- Answers the error for a caller who means another's data.
local function begin(keys, args)
  prefix, ARGV, call = keys[1], args, redis.call
  local stored = call('HMGET', prefix .. 'store', 'now', 'seq', 'shapes', 'trimmed', 'incarnation')
  local whose, given = string.sub(ARGV[1], 1, 32), string.sub(ARGV[1], 33)
  incarnation = stored[5]
  if whose ~= incarnation and string.byte(whose) ~= 45 then return redis.error_reply('REPLACED by ' .. tostring(incarnation)) end
  teller = string.byte(given) == 33 and string.sub(given, 2, 33)
  if teller then given = string.sub(given, 34) end
  if given == '' then
    local time = call('TIME')
    given = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  now = math.max(tonumber(given), tonumber(stored[1]) or 0)
  seq, shapeCount, trimmed = tonumber(stored[2]) or 0, tonumber(stored[3]) or 0, tonumber(stored[4]) or 0
end

local function beginAnew()
  for _, make in pairs(anew) do
    make()
  end
end

-- `unpack` fails near 8,000 values.
local function variadic(command, name, values)
  for from = 1, #values, 4000 do
    call(command, prefix .. name, unpack(values, from, math.min(from + 3999, #values)))
  end
end

-- Ids with spaces between, put together once for each list.
local function textOfIds(ids)
  local text = idTexts[ids]
  if not text then
    text = table.concat(ids, ' ')
    idTexts[ids] = text
  end
  return text
end

local function idsOf(who)
  return type(who) == 'table' and who or { who }
end

local function has(task, letter)
  return string.find(task[ASIDE], letter, 1, true)
end

local function mark(task, letter)
  if not has(task, letter) then task[ASIDE] = task[ASIDE] .. letter end
end

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
  if text == '' then return list end
  for word in string.gmatch(text, '[^ ]+') do
    n = n + 1
    list[n] = word
  end
  return list
end

-- Ids are of one length, so that nothing has to stand between them. Others would come as a JSON list. As many as a call may name are cut out
-- at once: one by one they cost twice as much.
local ID_LENGTH, IDS_MAX = 26, 1000
local idFormats
local function idList(text)
  if string.byte(text) == 91 then return cjson.decode(text) end
  idFormats = idFormats or string.rep('c' .. ID_LENGTH, IDS_MAX)
  local size = #text / ID_LENGTH
  local most = math.min(size, IDS_MAX)
  local ids = { struct.unpack(string.sub(idFormats, 1, 3 * most), text) }
  -- Behind them is where they end.
  ids[most + 1] = nil
  for i = IDS_MAX + 1, size do
    ids[i] = string.sub(text, (i - 1) * ID_LENGTH + 1, i * ID_LENGTH)
  end
  return ids
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

-- `counts` has what the counts of its tasks are called, by views.
local function readShape(text)
  local shape = shapesRead[text]
  if not shape then
    shape = cjson.decode(text)
    shape.counts, shapesRead[text], shapesReadCount = {}, shape, shapesReadCount + 1
  end
  return shape
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
    shapes[id], shapeTexts[id] = readShape(texts[i]), texts[i]
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
  shapes[id], shapeTexts[id] = readShape(text), text
  return id
end

local function join(common, own)
  return string.char(math.floor(#common / 256), #common % 256) .. common .. own
end

-- What is common of a row or head, and how many bytes are before the rest.
local function commonOf(text)
  local high, low = string.byte(text, 1, 2)
  local before = high * 256 + low + 2
  return string.sub(text, 3, before), before
end

-- Key, group and more of a row, and how many bytes are before the payload: -1 for an empty one.
local function ownOf(row, before)
  local offset, key, group, more = cmsgpack.unpack_limit(row, 3, before or select(2, commonOf(row)))
  return key, group, more, offset
end

-- Key and group of a task, false for none.
local function readOwn(id)
  if ownKeys[id] == nil then
    if owns[id] then
      ownKeys[id], ownGroups[id] = cmsgpack.unpack(owns[id])
    else
      ownKeys[id], ownGroups[id] = false, false
    end
  end
end

local function keyOfTask(id)
  readOwn(id)
  return ownKeys[id]
end

local function groupOf(id)
  readOwn(id)
  return ownGroups[id]
end

local function freshTask(common)
  local shape, createdAt, dueAt, startBy, expiresAt, aside = cmsgpack.unpack(common)
  local state = dueAt > createdAt and 'scheduled' or 'queued'
  return {
    state, shape, 1, 0, 0, 1, 0, 0, 0, false, dueAt, startBy, expiresAt, false, false, false,
    false, false, false, false, false, false, false, aside,
  }
end

local function readRows(ids)
  local missing = {}
  for _, id in ipairs(ids) do
    if not rows[id] then missing[#missing + 1] = id end
  end
  if #missing == 0 then return end
  for i, row in ipairs(call('HMGET', prefix .. 'tasks', unpack(missing))) do
    rows[missing[i]] = row or (puts.tasks and puts.tasks[missing[i]])
  end
end

-- Heads of these tasks, false for none: of those the rows are there.
local function readHeads(ids, withRows)
  local heads, headless = #ids > 0 and call('HMGET', prefix .. 'heads', unpack(ids)) or {}, {}
  if withRows then
    readRows(ids)
    return heads
  end
  for i = 1, #heads do
    if not heads[i] then headless[#headless + 1] = ids[i] end
  end
  if headless[1] then readRows(headless) end
  return heads
end

local function taskOf(common, isHead)
  local task = isHead and cmsgpack.unpack(common) or freshTask(common)
  packed[task] = isHead and common
  return task
end

-- Of a crowd `text` may be a list, one for each.
local function setAside(who, task, letter, text)
  local isThere = has(task, letter)
  if text then
    set(puts, besides[letter], who, text)
    mark(task, letter)
  elseif isThere then
    set(puts, besides[letter], who, false)
    task[ASIDE] = string.gsub(task[ASIDE], letter, '')
  end
end

-- `texts` is one for all of a crowd, or one for each: these all stand in their heads, or all beside them. Without any, a task has none any more.
local function setResult(who, task, texts)
  local first = type(texts) == 'table' and texts[1] or texts
  local isSmall = first and #first <= RESULT_MAX
  setAside(who, task, 'r', not isSmall and texts)
  if isSmall then
    mark(task, 'i')
    crowdResults[who] = texts
  elseif has(task, 'i') then
    task[ASIDE] = string.gsub(task[ASIDE], 'i', '')
  end
end

-- The result that stands in the head of a task.
local function resultOf(id)
  if not results[id] then
    for who, texts in pairs(crowdResults) do
      for i = 1, #who do
        results[who[i]] = type(texts) == 'table' and texts[i] or texts
      end
    end
  end
  return results[id]
end
