-- A queue as a claim reads it: its first tasks, and those behind the ones that have to wait, with bounded work.

-- Whether any task has rules or deadlines, any line a cursor, and whether several queues are claimed from: asked once a call. `without` are those that
-- who only looks has seen already: then all else is open.
local lookFor
local nothing = {}

function anew.line()
  lookFor = fresh(lookFor)
end

-- A demanded queue: of its `limit` so many are left; `taken` says by rules how many were taken, `closed` which rules hold back for the
-- rest of the call, `rules` those that all of the queue carry (nil before anybody has asked, false when they do not), `waiting` how many tasks were queued before it, `heldBack` how many of them carry such rules.
local function openQueue(name, limit)
  return { name = name, limit = limit, left = limit, taken = {}, closed = {}, heldBack = 0, rules = nil }
end

-- The queued tasks of a queue, or of one of its groups. What can be taken is read in pages: the first of `page` tasks, the next ones of
-- twice as many as the last one gave. `orders` only where several queues are claimed from; of groups it is known of the `known` first whether
-- they may run. What few lines come to have is not there at first: { isDone, isLooking, hasMore, cursor }.
local function openLine(queue, key, page, group)
  return {
    queue = queue, group = group, key = prefix .. key, unread = queue.left, rank = 0, ids = nothing, at = 1, page = page, taken = 0, spare = 0,
    last = nil, known = nil, turn = nil, member = nil, entry = nil,
  }
end

-- What cursors call it.
local function lineName(line)
  return line.group and line.queue.name .. '\0' .. line.group or line.queue.name
end

-- Nothing else of a queue can run when all that is left in it is held back.
local function endIfHeldBack(queue)
  if queue.heldBack >= queue.waiting - (queue.limit - queue.left) then queue.left = 0 end
end

-- Too many rules to be met by one claim are not counted.
local function waitingIn(queue)
  local key = queueKey(queue)
  -- Of packs it is not known how many wait in them.
  if packs.areIn(queue) then return math.huge end
  if call('HLEN', prefix .. key .. ':rules') > limits.claimScanMax then return math.huge end
  return call('ZCARD', prefix .. key) + call('ZCARD', prefix .. key .. ':grouped')
end

-- Whether such rules hold back for the rest of the call. In each queue they are counted once.
local function isHeldBack(queue, rules)
  if not rules or not rules.isClosed then return false end
  local text = rules.text
  if queue.closed[text] then return true end
  local key = queueKey(queue.name)
  queue.closed[text] = true
  queue.waiting = queue.waiting or waitingIn(queue.name)
  if queue.waiting < math.huge then
    queue.heldBack = queue.heldBack + countOfRules(key, text) - (queue.taken[text] or 0)
    endIfHeldBack(queue)
  end
  return true
end

-- Reads on; what else is to be known of these tasks is read for several lines at once.
local function fetchLine(line, size)
  local from, to = line.rank, line.rank + size - 1
  if from == 0 then from, to = '0', FIRST_TO[size] or to end
  if lookFor.orders or line.packed then
    local orders = {}
    line.ids, line.orders = {}, orders
    for i, value in ipairs(call('ZRANGE', line.key, from, to, 'WITHSCORES')) do
      if i % 2 == 1 then line.ids[(i + 1) / 2] = value else orders[i / 2] = tonumber(value) end
    end
  else
    line.ids = call('ZRANGE', line.key, from, to)
  end
  local count = #line.ids
  line.at, line.rank = 1, line.rank + count
  line.last = line.ids[count] or line.last
  if count < size then line.isDone = true end
  if line.packed then packs.mix(line) end
end

-- What else is to be known of the tasks of a line behind the first ones. Those past their deadlines wait for a judge and are no candidates.
local function lookUp(line, known)
  line.known = nil
  local ids = known == 0 and line.ids or { unpack(line.ids, known + 1) }
  if #ids == 0 then return end
  if lookFor.rules then loadRules(ids, line.queue) end
  local deadlines = lookFor.deadlines and call('ZMSCORE', prefix .. 'deadlines', unpack(ids)) or nothing
  for i, at in ipairs(deadlines) do
    if at and tonumber(at) <= now then line.ids[known + i] = false end
  end
  for i = known + 1, lookFor.without and #line.ids or 0 do
    if lookFor.without[line.ids[i]] then line.ids[i] = false end
  end
end

local function readLine(line, size)
  fetchLine(line, size)
  if line.entry then line.entry.seen = line.entry.seen + #line.ids end
  lookUp(line, 0)
end

-- Where to look on the way from one rank to another, which is jumped over else: at another part of it in each millisecond. So who is free
-- there by now is found, though there is always enough to claim behind.
local function rankBetween(from, to, size)
  local parts = math.ceil((to - from) / size)
  return math.min(from + (now % parts) * size, to - size)
end

-- Goes on where the last claim of this line stopped, with one look between: an eighth of what it may look through.
local LOOK_SHARE = 8
local function resumeLine(line)
  line.isLooking = true
  local last = line.cursor
  if last == nil then last = lookFor.cursors and call('HGET', prefix .. 'cursors', lineName(line)) end
  local rank = last and call('ZRANK', line.key, last)
  if not rank or rank < line.rank then return end
  line.resumeAt = rank + 1
  local size = math.min(line.resumeAt - line.rank, math.ceil(line.spare / LOOK_SHARE))
  if size > 0 and size < line.spare then line.look, line.rank = size, rankBetween(line.rank, line.resumeAt, size) end
end

-- Reads on behind full limits.
local function readSpare(line)
  if not line.isLooking then resumeLine(line) end
  local size = line.look or math.min(line.spare, limits.claimScanMax)
  if not line.look and line.resumeAt then line.rank, line.resumeAt = math.max(line.rank, line.resumeAt), nil end
  line.look, line.spare = nil, line.spare - size
  readLine(line, size)
end

-- Makes the next candidate of the line its head, or ends it. As many as the call may take are read while pages give some; behind those
-- that could not be taken the bound counts.
local function advanceLine(line)
  local queue = line.queue
  while queue.left > 0 do
    local ids, at = line.ids, line.at
    local id = ids[at]
    while id ~= nil do
      if line.known and at > line.known then
        lookUp(line, line.known)
        id = ids[at]
      end
      if id and not isHeldBack(queue, queue.rules or rulesOf[id]) then break end
      at = at + 1
      id = ids[at]
    end
    line.at = at
    if id then return queue.left > 0 end
    if line.isDone then return false end
    if line.unread > 0 and line.page > 0 then
      local size = math.min(line.unread, line.page)
      line.unread, line.page = line.unread - size, 0
      readLine(line, size)
    else
      if line.spare == 0 then
        line.hasMore = true
        return false
      end
      readSpare(line)
    end
  end
  return false
end

-- Remembers where the next claim goes on, or that it begins anew: once the end was seen and nothing is left to claim before it.
local function closeLine(line)
  if line.hasMore then
    set(puts, 'cursors', lineName(line), line.last)
  elseif line.isDone and line.at > #line.ids and lookFor.cursors and line.cursor ~= false then
    set(puts, 'cursors', lineName(line), false)
  end
end
