-- A queue with groups as a claim reads it: the line of the group whose turn it is, and after it was served the next.

local groups = {}

-- So many groups are read at first, and at once at most.
local PAGE_MIN, PAGE_MAX = 8, 100

-- `live` are the groups whose lines are open, in the order of their turns from place `head` to `tail`. So many that give nothing are
-- `looked` at: behind full limits and deadlines the next claim goes on.
function groups.open(queue)
  local name, own = queue.name, turns.entryOf(queue.name, '')
  local fair = { queue = queue, name = name, live = {}, head = 1, tail = 1, rank = 0, page = {}, at = 1, pageSize = PAGE_MIN }
  fair.looked, fair.standing = limits.claimGroupsMax, prefix .. queueKey(name) .. ':standing'
  -- Of many groups each is served once or twice.
  local count = call('ZCARD', fair.standing) + 1
  fair.taken, fair.count = math.max(2, math.ceil(queue.limit / count)), count
  local line = openLine(queue, name, queueKey(name), fair.taken)
  fair.live[1] = { group = '', turn = own.turn or 0, since = own.since or 0, line = line, isServed = true }
  return fair
end

-- Behind full limits each group gives its share of the tasks that may be looked at, so that many do not wait for one.
function groups.share(fair)
  fair.spare = math.max(limits.claimHeadMax, math.ceil(fair.spare / fair.count))
  fair.live[1].line.spare = fair.spare
end

function groups.isBefore(a, b)
  if a.turn ~= b.turn then return a.turn < b.turn end
  if a.since ~= b.since then return a.since < b.since end
  return a.group < b.group
end

function groups.read(fair, member, turn)
  local group = string.sub(member, 17)
  local line = openLine(fair.queue, fair.name .. '\0' .. group, lineKey(fair.name, group), fair.taken)
  line.spare, line.unread, line.page = fair.spare, math.max(0, line.unread - fair.taken), 0
  fetchLine(line, fair.taken)
  return { member = member, group = group, since = tonumber(string.sub(member, 1, 16)), turn = tonumber(turn), line = line }
end

-- What else is to be known of the first tasks of these groups, in as few commands as it takes.
function groups.readHeads(page)
  if #page == 0 then return end
  local ids, n, names = {}, 0, {}
  for i, standing in ipairs(page) do
    names[i] = standing.line.name
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

-- Behind those that come first it goes on where the last claim stopped.
function groups.resume(fair)
  fair.isLooking = true
  local last = call('HGET', prefix .. 'turnCursors', fair.name)
  local rank = last and call('ZRANK', fair.standing, last)
  if rank and rank >= fair.rank then fair.rank = rank + 1 end
end

-- The next group that this claim has not looked at yet; nil behind the last.
function groups.nextStanding(fair)
  if fair.at <= #fair.page then return fair.page[fair.at] end
  if fair.isLast then return nil end
  local size = math.min(fair.looked, fair.pageSize, math.max(fair.queue.left, PAGE_MIN))
  fair.hasMore = size <= 0
  if fair.hasMore then return nil end
  if fair.rank >= PAGE_MAX and not fair.isLooking then groups.resume(fair) end
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
  local line = standing.line
  line.entry = turns.entryOf(fair.name, standing.group, standing.turn, standing.since)
  line.entry.seen = (line.entry.seen or 0) + #line.ids
  fair.head = fair.head - 1
  fair.live[fair.head] = standing
end

function groups.closeFirst(fair)
  local first = fair.live[fair.head]
  closeLine(first.line)
  -- One that was served stands elsewhere now.
  if not first.isServed then fair.last = first.member end
  fair.live[fair.head], fair.head = nil, fair.head + 1
end

-- The first was served and takes its new place, mostly the last.
function groups.serveFirst(fair)
  local first, place = fair.live[fair.head], fair.tail
  if not first.isServed then
    first.isServed, fair.looked = true, fair.looked + 1
  end
  first.turn, first.since = turns.serve(fair.name, first.group)
  fair.live[fair.head], fair.head = nil, fair.head + 1
  while place >= fair.head and groups.isBefore(first, fair.live[place]) do
    fair.live[place + 1], place = fair.live[place], place - 1
  end
  fair.live[place + 1], fair.tail = first, fair.tail + 1
end

-- The group that is next and has a candidate; nil when there is none.
function groups.advance(fair)
  while fair.queue.left > 0 do
    local best, standing = fair.live[fair.head], groups.nextStanding(fair)
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
  if fair.hasMore and fair.last then
    set(puts, 'turnCursors', fair.name, fair.last)
  elseif fair.isLooking and fair.isLast then
    set(puts, 'turnCursors', fair.name, false)
  end
  for place = fair.head, fair.tail do
    closeLine(fair.live[place].line)
  end
end
