-- How a task changes: out of the place where it is found and counted, and into the next one, with its event.

-- `cuts` says of lines how many of their first tasks leave them in this call: all at once, by their ranks.
local keysHeld, counted, dueBefore, cuts

function anew.change()
  cuts, keysHeld, counted, dueBefore = fresh(cuts), fresh(keysHeld), fresh(counted), fresh(dueBefore)
end

-- One number for the order of claims: priority, then age; of equals, Redis puts the smaller id first. The largest due time
-- is beyond the year 19,000, and the largest number below 2^53.
local PRIORITY_STEP = 2 ^ 49
local function orderAt(shape, dueAt)
  return shape[PRIORITY] * PRIORITY_STEP + math.min(dueAt, PRIORITY_STEP - 1)
end

local function orderOf(task)
  return orderAt(shapes[task[SHAPE]], task[DUE_AT])
end

local function earlier(a, b)
  if not a or (b and b < a) then return b end
  return a
end

-- When somebody should look at a task for another reason than its lease; nil or false when there is none.
local function deadlineOf(task)
  local state = task[STATE]
  if state == 'blocked' then return task[EXPIRES_AT] end
  if isWaiting(state) then return earlier(task[START_BY], task[EXPIRES_AT]) end
  if state ~= 'running' then return nil end
  local timeoutMs, at = shapes[task[SHAPE]][TIMEOUT_MS], earlier(task[EXPIRES_AT], task[CANCEL_AT])
  if task[STARTED_AT] and timeoutMs then at = earlier(at, task[STARTED_AT] + timeoutMs) end
  return at and at + limits.graceMs
end

-- Everything here is about a task or a crowd: `who` is an id or a list of ids.

local function sizeOf(who)
  return type(who) == 'table' and #who or 1
end

-- By shape and view; the names of the counts are spelled out once a call.
local function count(task, delta)
  local views = counted[task[SHAPE]]
  if not views then
    views = {}
    counted[task[SHAPE]] = views
  end
  local view = viewOf(task)
  views[view] = (views[view] or 0) + delta
end

-- Neighbours that share everything but their ids are one group: the event of a batch is little more than its ids.
local function record(kind, who, task, from, to)
  local shape = shapes[task[SHAPE]]
  local name, queue, version, reason, attempt = shape[NAME], shape[QUEUE], task[VERSION], task[REASON], task[ATTEMPT]
  local groups = events[kind]
  if not groups then
    groups = {}
    events[kind] = groups
  end
  local last = groups[#groups]
  if
    not last or last[1] ~= name or last[2] ~= queue or last[3] ~= version
    or last[4] ~= from or last[5] ~= to or last[6] ~= reason or last[7] ~= attempt
  then
    last = { name, queue, version, from, to, reason, attempt, {}, 0 }
    groups[#groups + 1] = last
  end
  local texts = last[8]
  texts[#texts + 1], last[9] = type(who) == 'table' and textOfIds(who) or who, last[9] + sizeOf(who)
end

-- Tasks of a group stand in a line of theirs; `order` false takes them out of it.
local function moveInLines(ids, queue, order)
  local lists, names, known = {}, {}, ownGroups
  -- As Redis would write it, but once.
  if order then order = string.format('%d', order) end
  for i = 1, #ids do
    local id = ids[i]
    local group = known[id]
    if group == nil then group = groupOf(id) end
    local list = lists[group]
    if list then
      list[#list + 1] = id
    else
      names[#names + 1], lists[group] = group, { id }
    end
  end
  for _, group in ipairs(names) do
    local list = lists[group]
    local key, n = lineKey(queue, group), #list
    local line = scores[key]
    if not line then
      line = {}
      scores[key] = line
    end
    line[n == 1 and list[1] or list] = order
    if order then turns.join(queue, group, n) else turns.left(queue, group, n) end
  end
end

local function stand(who, task)
  local queue, order = shapes[task[SHAPE]][QUEUE], orderOf(task)
  if not hasWork[queue] then
    hasWork[queue] = true
    work[#work + 1] = queue
  end
  if has(task, 'l') then countRules(queueKey(queue), who, 1) end
  if not has(task, 'g') then return set(scores, queueKey(queue), who, order) end
  set(scores, queueKey(queue) .. ':grouped', who, task[DUE_AT])
  moveInLines(idsOf(who), queue, order)
end

local function leaveLine(who, task, isFound)
  local queue = shapes[task[SHAPE]][QUEUE]
  if not isFound and has(task, 'l') then countRules(queueKey(queue), who, -1) end
  if not has(task, 'g') then
    if cuts[prefix .. queueKey(queue)] then return end
    if not isFound then packs.openAt(queue, orderOf(task)) end
    return set(scores, queueKey(queue), who, false)
  end
  set(scores, queueKey(queue) .. ':grouped', who, false)
  if not isFound then moveInLines(idsOf(who), queue, false) end
end

-- What others wait for, or waits for others.
local function endEdges(who, task)
  local isParent, isChild = has(task, 'h'), has(task, 'd')
  if not isParent and not isChild then return end
  for _, id in ipairs(idsOf(who)) do
    if isParent then edges.ended[#edges.ended + 1] = id end
    if isChild then edges.done[#edges.done + 1] = id end
  end
end

-- In line for prune: a crowd together, as texts of some ids with spaces between. Who leaves its end is still named by such a text: prune
-- looks.
local LINE_SIZE = 100
local function standToLeave(who, task)
  local at = leavesAt(task)
  if type(who) == 'string' then return set(scores, 'finished', who, at) end
  local text, size = textOfIds(who), ID_LENGTH + 1
  if #who <= LINE_SIZE then return set(scores, 'finished', text, at) end
  -- To cut the text is cheaper than to put its parts together.
  local isEven = #text == #who * size - 1
  for from = 1, #who, LINE_SIZE do
    local to = math.min(from + LINE_SIZE - 1, #who)
    local part = isEven and string.sub(text, (from - 1) * size + 1, to * size - 1) or table.concat(who, ' ', from, to)
    set(scores, 'finished', part, at)
  end
end

-- Puts a task where its state is looked for.
local function place(who, task, leaseUntil)
  local state = task[STATE]
  count(task, sizeOf(who))
  if state == 'queued' then
    stand(who, task)
  elseif state == 'scheduled' then
    set(scores, 'scheduled', who, task[DUE_AT])
    if dueBefore[who] ~= task[DUE_AT] then firstDueAt = earlier(firstDueAt, task[DUE_AT]) end
  elseif state == 'running' then
    -- Mostly it has that of its claim.
    if leaseUntil then set(scores, 'ownLeases', who, leaseUntil) end
  elseif state == 'blocked' then
    for _, id in ipairs(idsOf(who)) do
      edges.blocked[id] = true
    end
  else
    standToLeave(who, task)
    endEdges(who, task)
  end
  local at = deadlineOf(task)
  if at then set(scores, 'deadlines', who, at) end
end

-- Takes a task from where it is found; answers the state it leaves. What a claim has found it takes out of the lines of groups, and counts out of
-- the rules, by itself.
local function leave(who, task, isFound)
  local state = task[STATE]
  count(task, -sizeOf(who))
  if state == 'queued' then
    leaveLine(who, task, isFound)
  elseif state == 'scheduled' then
    set(scores, 'scheduled', who, false)
    dueBefore[who] = task[DUE_AT]
  elseif state == 'running' then
    leases.leave(who)
  elseif state ~= 'blocked' then
    set(scores, 'finished', who, false)
  end
  if state == 'blocked' or deadlineOf(task) then set(scores, 'deadlines', who, false) end
  return state
end

local function enter(kind, who, task, from)
  task[VERSION] = task[VERSION] + 1
  dirty[who] = task
  place(who, task)
  record(kind, who, task, from, task[STATE])
end

-- To other processes, as broker/hints.ts reads it: whoever waits hears of it before the caller has its answer. What was written
-- stays, whatever becomes of a hint.
local function tell(dueInMs)
  local hints = { from = teller, overdue = edges.isOverdue and true or nil }
  if #work > 0 then hints.work = #work <= 100 and work or cjson.null end
  if dueInMs >= 0 then hints.due = dueInMs end
  redis.pcall('SPUBLISH', prefix .. 'signals', cjson.encode(hints))
end

-- What to tell whoever waits: the queues that got work, the time to the first task that was scheduled, -1 without one,
-- whether a task waits for a verdict because of its parents, and which ended although nobody asked for them by name; and
-- whether other processes have been told all but the last.
local function signals()
  local dueInMs = firstDueAt and math.max(0, firstDueAt - now) or -1
  if teller and (#work > 0 or dueInMs >= 0 or edges.isOverdue) then tell(dueInMs) end
  return { work, dueInMs, edges.isOverdue and 1 or 0, edges.finished, teller and 1 or 0 }
end

-- Who has the key: { id, until }, `until` false for an unfinished holder; false when nobody. The time may be over. Packed until it is asked for.
local function keyOf(key)
  local held = keysHeld[key]
  if held == nil then
    held = call('HGET', prefix .. 'keys', key)
    keysHeld[key] = held
  end
  if type(held) == 'string' then
    held = cmsgpack.unpack(held)
    keysHeld[key] = held
  end
  return held
end

local function loadKeys(keys)
  local missing = keys
  if next(keysHeld) then
    missing = {}
    for _, key in ipairs(keys) do
      if keysHeld[key] == nil then missing[#missing + 1] = key end
    end
  end
  if #missing == 0 then return end
  for i, text in ipairs(call('HMGET', prefix .. 'keys', unpack(missing))) do
    keysHeld[missing[i]] = text
  end
end

-- What is kept until a time stands in line for prune; mostly nothing was.
local function standForPrune(key, before, untilAt)
  if untilAt or (before and before[2]) then set(scores, 'keptKeys', key, untilAt) end
end

local function holdKey(key, id, untilAt)
  local before = keyOf(key)
  keysHeld[key] = { id, untilAt }
  set(puts, 'keys', key, cmsgpack.pack(keysHeld[key]))
  standForPrune(key, before, untilAt)
end

-- A holder without an end, as it is stored. As `cmsgpack` packs the two.
local function heldBy(id)
  return #id == ID_LENGTH and '\146\186' .. id .. '\194' or cmsgpack.pack({ id, false })
end

-- For a new task, and a key that was looked up and has no holder, or one whose time is over: that one would be let go by the next prune.
local function holdFreeKey(key, id)
  local held = heldBy(id)
  if keysHeld[key] then standForPrune(key, keysHeld[key], false) end
  keysHeld[key] = held
  set(puts, 'keys', key, held)
end

-- Lets go of the task's key when the task is its holder.
local function freeKey(id, task)
  local key = has(task, 'k') and keyOfTask(id)
  local held = key and keyOf(key)
  if not held or held[1] ~= id then return end
  keysHeld[key] = false
  set(puts, 'keys', key, false)
  standForPrune(key, held, false)
end

-- The holder's id now, or nil when the key is free.
local function holderOf(key)
  local held = key and keyOf(key)
  if held and (not held[2] or held[2] > now) then return held[1] end
end
