-- A queue with groups as a claim reads it: the line of the group whose turn it is, and after it was served the next.

local groups = {}

-- So many groups are read at first, and at once at most.
local PAGE_MIN, PAGE_MAX = 8, 100

-- `page` has lines of groups in their order, `opened` of which had their turn; those that were served stand in `ring` from `first` to `last`. The line
-- whose turn it is is `current` until it was served. So many that give nothing are `looked` at: behind full limits and deadlines the next claim goes
-- on. `givers` says by the places of tasks in a claim whose they were, `laps` the same of those that were taken in laps; the next laps are tried for from
-- the task `lapsFrom` on.
function groups.open(queue)
  local name, own = queue.name, turns.touch(queue.name, '')
  local fair = {
    queue = queue, isFair = true, rank = 0, page = nothing, at = 1, pageSize = math.min(queue.limit, PAGE_MIN), looked = limits.claimGroupsMax,
    ring = {}, first = 1, last = 0, current = nil, served = {}, opened = 0, givers = {}, laps = {}, lapsFrom = 0, standing = prefix .. queueKey(name) .. ':standing',
  }
  -- Of many groups each is served once or twice.
  fair.count = call('ZCARD', fair.standing) + 1
  fair.taken = 1 + math.ceil(queue.limit / fair.count)
  fair.to, fair.since = string.format('%d', fair.taken - 1), turns.sinceText(now)
  local line = openLine(queue, queueKey(name), fair.taken)
  line.turn, line.member, line.entry = own.turn or 0, own.member or '', own
  fair.ring[1], fair.last = line, 1
  if lookFor.without then groups.addPaused(fair) end
  return fair
end

-- Puts a line where its turn is.
function groups.stand(fair, line)
  local ring, at = fair.ring, fair.last + 1
  while at > fair.first and (line.turn < ring[at - 1].turn or (line.turn == ring[at - 1].turn and line.member < ring[at - 1].member)) do
    ring[at], at = ring[at - 1], at - 1
  end
  ring[at], fair.last = line, fair.last + 1
end

-- For who only looks: groups that are paused and have tasks here, of the first names with settings.
function groups.addPaused(fair)
  local queue = fair.queue
  fair.ring[1].page = queue.limit
  for _, name in ipairs(call('ZRANGE', prefix .. 'groupNames', 0, limits.claimGroupsMax - 1)) do
    local entry = turns.settingsOf(name)[2] and call('EXISTS', turns.keyOf(queue.name, name)) == 1 and turns.read(queue.name, name)
    if entry and entry.turn then
      local line = groups.read(fair, entry.member, entry.turn, fair.taken, queue.limit)
      lookUp(line, 0)
      groups.stand(fair, line)
    end
  end
end

-- For who only looks: groups that were served at the first look stand elsewhere than is stored, and some of their tasks were seen.
function groups.putMoved(fair)
  local page, entries = {}, turns.entries[fair.queue.name]
  for _, line in ipairs(fair.page) do
    local entry = entries[line.group]
    if entry and entry.isMoved then
      for i = 1, line.known or #line.ids do
        if lookFor.without[line.ids[i]] then line.ids[i] = false end
      end
      line.turn, line.member, line.entry, line.page, line.unread = entry.turn, entry.member, entry, line.queue.limit, line.queue.limit
      groups.stand(fair, line)
    else
      page[#page + 1] = line
    end
  end
  fair.page = page
end

-- Behind full limits each group gives its share of the tasks that may be looked at, so that many do not wait for one.
function groups.share(fair)
  fair.spare = math.max(limits.claimHeadMax, math.ceil(fair.spare / fair.count))
  for at = fair.first, fair.last do
    fair.ring[at].spare = fair.spare
  end
end

-- The line of a group with its first tasks, as `openLine` and `fetchLine` make it. Mostly no more is read of it.
function groups.read(fair, member, turn, taken, unread)
  local queue, group = fair.queue, string.sub(member, 17)
  local key = turns.keyOf(queue.name, group)
  local ids = lookFor.orders and nothing or call('ZRANGE', key, '0', fair.to)
  local count = #ids
  local line = {
    queue = queue, group = group, key = key, unread = unread, rank = count, ids = ids, at = 1, page = 0, taken = 0, spare = fair.spare,
    last = ids[count], known = nil, turn = tonumber(turn), member = member, entry = nil,
  }
  if lookFor.orders then
    line.rank = 0
    fetchLine(line, taken)
  elseif count < taken then
    line.isDone = true
  end
  return line
end

-- What else is to be known of those tasks of these groups that their turns will mostly come to, in as few commands as it takes.
function groups.readHeads(fair)
  local ids, n, names, most = {}, 0, {}, fair.taken - 1
  local isAsked = lookFor.rules and not rulesOfWhole(fair.queue)
  if not (isAsked or lookFor.deadlines or lookFor.cursors) then return end
  for i, line in ipairs(fair.page) do
    local own = line.ids
    if lookFor.cursors then names[i] = lineName(line) end
    if own[most + 1] then line.known = most end
    for at = 1, own[most] and most or #own do
      n = n + 1
      ids[n] = own[at]
    end
  end
  if lookFor.cursors and #names > 0 then
    for i, last in ipairs(call('HMGET', prefix .. 'cursors', unpack(names))) do
      fair.page[i].cursor = last
    end
  end
  if n == 0 then return end
  if isAsked then loadRules(ids, fair.queue) end
  if not lookFor.deadlines then return end
  local deadlines, place = call('ZMSCORE', prefix .. 'deadlines', unpack(ids)), 0
  for _, line in ipairs(fair.page) do
    local own = line.ids
    for i = 1, math.min(most, #own) do
      place = place + 1
      if deadlines[place] and tonumber(deadlines[place]) <= now then own[i] = false end
    end
  end
end

-- Behind those that come first it goes on where the last claim stopped, with one look between. Answers how many to read.
function groups.resume(fair, size)
  if fair.resumeAt then
    fair.rank, fair.resumeAt = fair.resumeAt, nil
  elseif fair.rank >= PAGE_MAX and not fair.isLooking and not lookFor.without then
    fair.isLooking = true
    local last = call('HGET', prefix .. 'turnCursors', fair.queue.name)
    local rank = last and call('ZRANK', fair.standing, last)
    if rank and rank >= fair.rank then
      fair.resumeAt, size = rank + 1, math.min(size, rank + 1 - fair.rank, math.ceil(limits.claimGroupsMax / LOOK_SHARE))
      fair.rank = rankBetween(fair.rank, fair.resumeAt, size)
    end
  end
  return size
end

-- Reads the next groups that this claim has not looked at yet; answers the first of them, nil behind the last.
function groups.nextPage(fair)
  local size = math.min(fair.looked, fair.pageSize, math.max(fair.queue.left, PAGE_MIN))
  fair.hasMore = size <= 0
  if fair.hasMore then return nil end
  size = groups.resume(fair, size)
  local found = call('ZRANGE', fair.standing, fair.rank, fair.rank + size - 1, 'WITHSCORES')
  fair.page, fair.at, fair.isLast = {}, 1, #found < 2 * size
  fair.rank, fair.looked, fair.pageSize = fair.rank + #found / 2, fair.looked - #found / 2, math.max(PAGE_MIN, math.min(2 * fair.pageSize, PAGE_MAX))
  local page, taken, unread = fair.page, fair.taken, math.max(0, fair.queue.left - fair.taken)
  for i = 1, #found, 2 do
    page[#page + 1] = groups.read(fair, found[i], found[i + 1], taken, unread)
  end
  groups.readHeads(fair)
  if lookFor.without then groups.putMoved(fair) end
  return fair.page[1]
end

-- The line of the group whose turn it is; nil when there is none. Of equal turns the smaller member is first: members begin with the time since
-- when, and go on with the name.
function groups.next(fair)
  local other = fair.page[fair.at]
  while not other and not fair.isLast do
    other = groups.nextPage(fair)
    if fair.hasMore then break end
  end
  local first = fair.ring[fair.first]
  if other and (not first or other.turn < first.turn or (other.turn == first.turn and other.member < first.member)) then
    fair.at, fair.opened = fair.at + 1, fair.opened + 1
    return other
  end
  if first then fair.first = fair.first + 1 end
  return first
end

-- The line of the group that is next and has a candidate; nil when there is none.
function groups.advance(fair)
  while fair.queue.left > 0 do
    local line = fair.current or groups.next(fair)
    fair.current = line
    if not line then return nil end
    if advanceLine(line) then return line end
    fair.current = nil
    closeLine(line)
    -- One that was served stands elsewhere now.
    if not line.entry then fair.passed = line.member end
  end
end

-- The current one has given the task at this place and takes its new one, mostly the last.
function groups.serve(fair, place)
  local line, ring, first, at = fair.current, fair.ring, fair.first, fair.last + 1
  if not line.entry then
    local served = fair.served
    served[#served + 1], fair.looked = line, fair.looked + 1
  end
  local turn, member = turns.serve(line, fair.since)
  local other = ring[at - 1]
  while at > first and (turn < other.turn or (turn == other.turn and member < other.member)) do
    ring[at], at = other, at - 1
    other = ring[at - 1]
  end
  ring[at], fair.last, fair.current, fair.givers[place] = line, fair.last + 1, nil, line
end

-- Whether every group that waits has had its turn in this claim, or stands in the ring for it.
function groups.areAllOpen(fair)
  return fair.isLast and not fair.page[fair.at] and not fair.current
end

-- How many times all groups of the ring can be served one after the other, in the order in which they stand: while all of them were served in this call, weigh
-- the same, and nobody has its next turn before another one has this turn.
function groups.lapsOf(fair)
  local ring, first, last = fair.ring, fair.first, fair.last
  if last < first or turns.isAnySet ~= false then return 0 end
  if ring[last].turn >= ring[first].turn + TURN_PRICE or ring[first].turn < turns.rounds[fair.queue.name] then return 0 end
  local laps = math.huge
  for at = first, last do
    local line = ring[at]
    local entry = line.entry
    if not entry or not entry.isMoved then return 0 end
    laps = math.min(laps, (line.known or #line.ids) + 1 - line.at)
  end
  return laps
end

-- Adds up to `most` tasks of the next laps to `ids`: as far as they may run and have these rules. Answers how many.
function groups.readLaps(fair, most, ids, rules)
  local ring, first, last, isSure, known = fair.ring, fair.first, fair.last, fair.queue.rules, rulesOf
  local n, lap, to = #ids, 0, #ids + most
  local from = n
  while n < to do
    for at = first, math.min(last, first + to - n - 1) do
      local line = ring[at]
      local id = line.ids[line.at + lap]
      if not id or (not isSure and known[id] ~= rules) then return n - from end
      n = n + 1
      ids[n] = id
    end
    lap = lap + 1
  end
  return n - from
end

-- So many tasks behind the first `before` of a claim were taken in laps.
function groups.serveLaps(fair, taken, before)
  local ring, first, last = fair.ring, fair.first, fair.last
  local size = last - first + 1
  local laps, rest = math.floor(taken / size), taken % size
  fair.laps[#fair.laps + 1] = { before = before, taken = taken, lines = { unpack(ring, first, last) } }
  for at = first, last do
    local line = ring[at]
    local entry, count = line.entry, at - first < rest and laps + 1 or laps
    line.at, line.taken, line.page, line.turn = line.at + count, line.taken + count, line.page + 2 * count, line.turn + count * TURN_PRICE
    entry.turn, entry.delta = line.turn, entry.delta - count
  end
  turns.rounds[fair.queue.name] = ring[rest > 0 and first + rest - 1 or last].turn - TURN_PRICE
  for at = 1, rest do
    ring[last + at] = ring[first + at - 1]
  end
  fair.first, fair.last = first + rest, last + rest
end

-- Those who gave the first tasks of their lines, and nothing else, let go of them by their ranks. Where those that were served stood first, they
-- leave these places together.
function groups.leave(fair, ids)
  local others, isCut = {}, not fair.isLooking and fair.opened == #fair.served and fair.opened > 0
  for _, line in ipairs(fair.served) do
    local taken = line.taken
    if taken == line.at - 1 and line.rank == #line.ids then cuts[line.key] = taken else others[line] = {} end
    if isCut then line.entry.before = true end
  end
  if isCut then turns.cuts[fair.queue.name], turns.bare[fair.queue.name] = fair.opened, fair.opened == fair.count - 1 or nil end
  if not next(others) then return end
  for place, line in pairs(fair.givers) do
    if others[line] then table.insert(others[line], ids[place]) end
  end
  for _, lap in ipairs(fair.laps) do
    for i = 1, lap.taken do
      local list = others[lap.lines[(i - 1) % #lap.lines + 1]]
      if list then list[#list + 1] = ids[lap.before + i] end
    end
  end
  for line, list in pairs(others) do
    set(scores, string.sub(line.key, #prefix + 1), list, false)
  end
end

-- Remembers which group the next claim goes on behind, or that it begins anew.
function groups.close(fair, ids)
  if fair.hasMore and fair.passed then
    set(puts, 'turnCursors', fair.queue.name, fair.passed)
  elseif fair.isLooking and fair.isLast then
    set(puts, 'turnCursors', fair.queue.name, false)
  end
  groups.leave(fair, ids)
  if not lookFor.cursors then return end
  if fair.current then closeLine(fair.current) end
  for at = fair.first, fair.last do
    closeLine(fair.ring[at])
  end
end
