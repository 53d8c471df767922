-- A queue as a claim reads it: its first tasks, and those behind the ones that have to wait, with bounded work.

-- All demanded queues together may take so many reads behind full limits, each its share: one script holds up everybody.
local readsLeft = limits.claimReadsMax

local function openLine(name, limit)
  return { name = name, key = prefix .. queueKey(name), left = limit, rank = 0, ids = {}, orders = {}, at = 1 }
end

-- Reads on. Tasks past their deadlines wait for a judge and are no candidates.
local function readLine(line, size)
  local found = call('ZRANGE', line.key, line.rank, line.rank + size - 1, 'WITHSCORES')
  line.ids, line.orders, line.at = {}, {}, 1
  for i = 1, #found, 2 do
    line.ids[(i + 1) / 2], line.orders[(i + 1) / 2] = found[i], tonumber(found[i + 1])
  end
  line.rank, line.isDone = line.rank + #line.ids, #line.ids < size
  line.last = line.ids[#line.ids] or line.last
  if #line.ids == 0 then return end
  -- One question for both: plain tasks are in neither.
  if call('EXISTS', prefix .. 'rules', prefix .. 'deadlines') == 0 then return end
  loadRules(line.ids)
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

-- Makes the next candidate of the line its head, or ends it.
local function advanceLine(line, first)
  while line.left > 0 do
    while line.at <= #line.ids and not line.ids[line.at] do
      line.at = line.at + 1
    end
    if line.at <= #line.ids then return true end
    if line.isDone then return false end
    if not line.isOpen then
      line.isOpen = true
      readLine(line, math.min(line.left, first))
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
