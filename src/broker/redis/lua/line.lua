-- A queue as a claim reads it: its first tasks, and those behind the ones that have to wait, with bounded work.

-- All demanded queues together may take so many reads behind full limits, each its share: one script holds up everybody.
local readsLeft = limits.claimReadsMax

-- Whether any task has rules or deadlines, and whether several queues are claimed from: asked once a call.
local lookFor = {}

-- What can be taken is read in pages: the first of `page` tasks, each of the next twice as long.
local function openLine(name, key, limit, page)
  return { name = name, key = prefix .. key, left = limit, rank = 0, ids = {}, at = 1, page = page }
end

-- Reads on. Tasks past their deadlines wait for a judge and are no candidates.
local function readLine(line, size)
  local orders = {}
  if lookFor.orders then
    line.ids = {}
    for i, value in ipairs(call('ZRANGE', line.key, line.rank, line.rank + size - 1, 'WITHSCORES')) do
      if i % 2 == 1 then line.ids[(i + 1) / 2] = value else orders[i / 2] = tonumber(value) end
    end
  else
    line.ids = call('ZRANGE', line.key, line.rank, line.rank + size - 1)
  end
  line.orders, line.at, line.rank, line.isDone = orders, 1, line.rank + #line.ids, #line.ids < size
  line.last = line.ids[#line.ids] or line.last
  if line.entry then line.entry.seen = (line.entry.seen or 0) + #line.ids end
  if #line.ids == 0 then return end
  if lookFor.rules then loadRules(line.ids) end
  if not lookFor.deadlines then return end
  for i, at in ipairs(call('ZMSCORE', prefix .. 'deadlines', unpack(line.ids))) do
    if at and tonumber(at) <= now then line.ids[i] = false end
  end
end

-- Goes on where the last claim of this queue stopped.
local function resumeLine(line)
  local last = call('HGET', prefix .. 'cursors', line.name)
  local rank = last and call('ZRANK', line.key, last)
  if rank and rank >= line.rank then
    line.rank = rank + 1
  end
end

-- Makes the next candidate of the line its head, or ends it. As many as the call may take are read first; behind those that could not be
-- taken the bound counts.
local function advanceLine(line, first)
  while line.left > 0 do
    while line.at <= #line.ids and not line.ids[line.at] do
      line.at = line.at + 1
    end
    if line.at <= #line.ids then return true end
    if line.isDone then return false end
    line.unread = line.unread or math.min(line.left, first)
    if line.unread > 0 then
      local size = math.min(line.unread, line.page)
      line.unread, line.page = line.unread - size, 2 * line.page
      readLine(line, size)
    else
      if readsLeft == 0 or line.readsLeft == 0 then
        line.hasMore = true
        return false
      end
      readsLeft, line.readsLeft = readsLeft - 1, line.readsLeft - 1
      if not line.isLooking then
        line.isLooking = true
        resumeLine(line)
      end
      readLine(line, limits.claimScanMax)
    end
  end
  return false
end

-- Remembers where the next claim goes on, or that it begins anew.
local function closeLine(line)
  if line.hasMore then
    set(puts, 'cursors', line.name, line.last)
  elseif line.isLooking and line.isDone then
    set(puts, 'cursors', line.name, false)
  end
end
