-- A queue with groups as a claim reads it: the line of the group whose turn it is, and after it was served the next.

local groups = {}

-- Groups looked at beyond those that are served: behind full limits and deadlines the next claim goes on.
local GROUPS_LOOKED = limits.claimScanMax
-- Of many groups each is served once or twice.
local GROUP_PAGE = 2

-- `live` are the groups whose lines are open, in the order of their turns from place `head` to `tail`.
function groups.open(name, limit)
  local fair = { name = name, left = limit, live = {}, head = 1, tail = 1, rank = 0, page = {}, at = 1, looked = limit + GROUPS_LOOKED }
  fair.standing = prefix .. queueKey(name) .. ':standing'
  local own = turns.entryOf(name, '')
  fair.live[1] = { group = '', turn = own.turn or 0, since = own.since or 0, line = openLine(name, queueKey(name), limit, GROUP_PAGE) }
  return fair
end

function groups.isBefore(a, b)
  if a.turn ~= b.turn then return a.turn < b.turn end
  if a.since ~= b.since then return a.since < b.since end
  return a.group < b.group
end

-- The next group that this claim has not looked at yet; nil behind the last.
function groups.nextStanding(fair)
  if fair.at > #fair.page then
    if fair.isLast then return nil end
    local size = math.min(fair.looked, 100)
    if size <= 0 then
      fair.hasMore = true
      return nil
    end
    -- Behind those that come first it goes on where the last claim stopped.
    if fair.rank > 0 and not fair.isLooking then
      fair.isLooking = true
      local last = call('HGET', prefix .. 'turnCursors', fair.name)
      local rank = last and call('ZRANK', fair.standing, last)
      if rank and rank >= fair.rank then fair.rank = rank + 1 end
    end
    local found = call('ZRANGE', fair.standing, fair.rank, fair.rank + size - 1, 'WITHSCORES')
    fair.page, fair.at, fair.isLast = {}, 1, #found < 2 * size
    fair.rank, fair.looked = fair.rank + #found / 2, fair.looked - #found / 2
    for i = 1, #found, 2 do
      local member = found[i]
      fair.page[(i + 1) / 2] = {
        member = member, group = string.sub(member, 17), since = tonumber(string.sub(member, 1, 16)),
        turn = tonumber(found[i + 1]),
      }
    end
    if #fair.page == 0 then return nil end
  end
  return fair.page[fair.at]
end

function groups.openGroup(fair, standing)
  local entry = turns.entryOf(fair.name, standing.group, standing.turn, standing.since)
  standing.line = openLine(fair.name .. '\0' .. standing.group, lineKey(fair.name, standing.group), fair.left, GROUP_PAGE)
  standing.line.readsLeft, standing.line.entry = fair.readsLeft, entry
  fair.head = fair.head - 1
  fair.live[fair.head] = standing
end

function groups.closeFirst(fair)
  closeLine(fair.live[fair.head].line)
  fair.live[fair.head], fair.head = nil, fair.head + 1
end

-- The first was served and takes its new place, mostly the last.
function groups.serveFirst(fair)
  local first, place = fair.live[fair.head], fair.tail
  first.turn, first.since = turns.serve(fair.name, first.group)
  fair.live[fair.head], fair.head = nil, fair.head + 1
  while place >= fair.head and groups.isBefore(first, fair.live[place]) do
    fair.live[place + 1], place = fair.live[place], place - 1
  end
  fair.live[place + 1], fair.tail = first, fair.tail + 1
end

-- The group that is next and has a candidate; nil when there is none.
function groups.advance(fair, first)
  while fair.left > 0 do
    local best, standing = fair.live[fair.head], groups.nextStanding(fair)
    if standing and (not best or groups.isBefore(standing, best)) then
      fair.at, fair.last = fair.at + 1, standing.member
      groups.openGroup(fair, standing)
    elseif not best then
      return nil
    else
      best.line.left = fair.left
      if advanceLine(best.line, first) then return best end
      groups.closeFirst(fair)
    end
  end
end

-- Remembers which group the next claim goes on behind, or that it begins anew.
function groups.close(fair)
  if fair.hasMore then
    set(puts, 'turnCursors', fair.name, fair.last)
  elseif fair.isLooking and fair.isLast then
    set(puts, 'turnCursors', fair.name, false)
  end
  for place = fair.head, fair.tail do
    closeLine(fair.live[place].line)
  end
end
