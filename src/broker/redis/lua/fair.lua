-- A queue with groups as a claim reads it: the line of the group whose turn it is, and after it was served the next.

local groups = {}

-- So many groups are read at first, and at once at most.
local PAGE_MIN, PAGE_MAX = 8, 100

-- Of the groups whose lines are open `first` is the next and `last` the last one, in a list by `next` and `before`. So many that give
-- nothing are `looked` at: behind full limits and deadlines the next claim goes on.
function groups.open(queue)
  local name, own = queue.name, turns.read(queue.name, '')
  local fair = { queue = queue, isFair = true, rank = 0, page = {}, at = 1, pageSize = PAGE_MIN, looked = limits.claimGroupsMax }
  fair.standing = prefix .. queueKey(name) .. ':standing'
  -- Of many groups each is served once or twice.
  fair.count = call('ZCARD', fair.standing) + 1
  fair.taken = 1 + math.ceil(queue.limit / fair.count)
  local line = openLine(queue, queueKey(name), fair.taken)
  fair.first = { group = '', turn = own.turn or 0, member = own.member or '', line = line, isServed = true, next = nil, before = nil }
  fair.last = fair.first
  return fair
end

-- Behind full limits each group gives its share of the tasks that may be looked at, so that many do not wait for one.
function groups.share(fair)
  fair.spare = math.max(limits.claimHeadMax, math.ceil(fair.spare / fair.count))
  fair.first.line.spare = fair.spare
end

-- Members begin with the time since when, and go on with the name.
function groups.isBefore(a, b)
  if a.turn ~= b.turn then return a.turn < b.turn end
  return a.member < b.member
end

function groups.read(fair, member, turn)
  local group = string.sub(member, 17)
  local line = openLine(fair.queue, lineKey(fair.queue.name, group), fair.taken, group)
  line.spare, line.unread, line.page = fair.spare, math.max(0, line.unread - fair.taken), 0
  fetchLine(line, fair.taken)
  return { group = group, turn = tonumber(turn), member = member, line = line, isServed = false, next = nil, before = nil }
end

-- What else is to be known of the first tasks of these groups, in as few commands as it takes.
function groups.readHeads(page)
  if #page == 0 then return end
  local ids, n, names = {}, 0, {}
  for i, standing in ipairs(page) do
    if lookFor.cursors then names[i] = lineName(standing.line) end
    for _, id in ipairs(standing.line.ids) do
      n = n + 1
      ids[n] = id
    end
  end
  if lookFor.cursors then
    for i, last in ipairs(call('HMGET', prefix .. 'cursors', unpack(names))) do
      page[i].line.cursor = last
    end
  end
  if #ids == 0 then return end
  if lookFor.rules then loadRules(ids) end
  if not lookFor.deadlines then return end
  local deadlines, place = call('ZMSCORE', prefix .. 'deadlines', unpack(ids)), 0
  for _, standing in ipairs(page) do
    local own = standing.line.ids
    for i = 1, #own do
      local at = deadlines[place + i]
      if at and tonumber(at) <= now then own[i] = false end
    end
    place = place + #own
  end
end

-- Behind those that come first it goes on where the last claim stopped, with one look between. Answers how many to read.
function groups.resume(fair, size)
  if fair.resumeAt then
    fair.rank, fair.resumeAt = fair.resumeAt, nil
  elseif fair.rank >= PAGE_MAX and not fair.isLooking then
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

-- The next group that this claim has not looked at yet; nil behind the last.
function groups.nextStanding(fair)
  if fair.at <= #fair.page then return fair.page[fair.at] end
  if fair.isLast then return nil end
  local size = math.min(fair.looked, fair.pageSize, math.max(fair.queue.left, PAGE_MIN))
  fair.hasMore = size <= 0
  if fair.hasMore then return nil end
  size = groups.resume(fair, size)
  local found = call('ZRANGE', fair.standing, fair.rank, fair.rank + size - 1, 'WITHSCORES')
  fair.page, fair.at, fair.isLast = {}, 1, #found < 2 * size
  fair.rank, fair.looked, fair.pageSize = fair.rank + #found / 2, fair.looked - #found / 2, math.min(2 * fair.pageSize, PAGE_MAX)
  for i = 1, #found, 2 do
    fair.page[(i + 1) / 2] = groups.read(fair, found[i], found[i + 1])
  end
  groups.readHeads(fair.page)
  return fair.page[1]
end

function groups.openGroup(fair, standing)
  local line, entry = standing.line, turns.entryOf(fair.queue.name, standing.group)
  if not entry.isRead then
    entry.isRead, entry.turn, entry.member = true, standing.turn, standing.member
  end
  line.entry, entry.seen = entry, entry.seen + #line.ids
  groups.insertBehind(fair, nil, standing)
end

-- Behind none it is the first.
function groups.insertBehind(fair, other, standing)
  local next = fair.first
  if other then next = other.next end
  standing.before, standing.next = other, next
  if other then other.next = standing else fair.first = standing end
  if next then next.before = standing else fair.last = standing end
end

function groups.takeFirst(fair)
  local first = fair.first
  fair.first = first.next
  if fair.first then fair.first.before = nil else fair.last = nil end
  return first
end

function groups.closeFirst(fair)
  local first = groups.takeFirst(fair)
  closeLine(first.line)
  -- One that was served stands elsewhere now.
  if not first.isServed then fair.passed = first.member end
end

-- The first was served and takes its new place, mostly the last.
function groups.serveFirst(fair)
  local first, other = groups.takeFirst(fair), fair.last
  if not first.isServed then
    first.isServed, fair.looked = true, fair.looked + 1
  end
  first.turn, first.member = turns.serve(fair.queue.name, first.group)
  while other and groups.isBefore(first, other) do
    other = other.before
  end
  groups.insertBehind(fair, other, first)
end

-- The group that is next and has a candidate; nil when there is none.
function groups.advance(fair)
  while fair.queue.left > 0 do
    local best, standing = fair.first, groups.nextStanding(fair)
    if standing and (not best or groups.isBefore(standing, best)) then
      fair.at = fair.at + 1
      groups.openGroup(fair, standing)
    elseif not best then
      return nil
    else
      if advanceLine(best.line) then return best end
      groups.closeFirst(fair)
    end
  end
end

-- Remembers which group the next claim goes on behind, or that it begins anew.
function groups.close(fair)
  if fair.hasMore and fair.passed then
    set(puts, 'turnCursors', fair.queue.name, fair.passed)
  elseif fair.isLooking and fair.isLast then
    set(puts, 'turnCursors', fair.queue.name, false)
  end
  local standing = fair.first
  while standing do
    closeLine(standing.line)
    standing = standing.next
  end
end
