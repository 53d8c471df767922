-- Plain tasks that came in one call stand in line together, as packs of up to a hundred: `queue:<name>:packs` is a sorted set by the order of claims, whose
-- members are ids with a space behind each, what the rows of these have in common, and its length in a byte. So they come and go at a hundredth of the
-- work, and of the memory, of members of their own.
--
-- A pack says nothing that the line could not say: at any time it may be taken apart, and its tasks put into the line as they would stand there. So does
-- whoever wants one of them, or has to look at each: claims of few tasks, from several queues, with groups, or behind full limits.
local PACK_SIZE = 100
-- So many packs are read at once.
local PACKS_PAGE = 11
local packs = {}

-- By queue whether there are any; rows and heads of what a claim has taken out of packs, or the crowds of it where nobody has read its rows, as whoever claims
-- has said that he may; whether nothing may be changed.
function anew.packs()
  packs.isIn, packs.found, packs.heads = fresh(packs.isIn), nil, nil
  packs.crowds, packs.mayBeBare, packs.isLooking = nil, false, false
end

function packs.keyOf(queue)
  return queueKey(queue) .. ':packs'
end

function packs.areIn(queue)
  local isIn = packs.isIn[queue]
  if isIn == nil then
    isIn = call('EXISTS', prefix .. packs.keyOf(queue)) == 1
    packs.isIn[queue] = isIn
  end
  return isIn
end

-- Of `n` ids in a text with spaces between, of tasks with this part of their rows in common.
function packs.put(queue, text, n, common, order)
  local list, size, tail = {}, ID_LENGTH + 1, ' ' .. common .. string.char(#common)
  for from = 0, n - 1, PACK_SIZE do
    list[#list + 1], list[#list + 2] = order, string.sub(text, from * size + 1, math.min(from + PACK_SIZE, n) * size - 1) .. tail
  end
  call('ZADD', prefix .. packs.keyOf(queue), unpack(list))
end

-- Whether there may be any: see `open`.
function packs.areKnown()
  return call('HGET', prefix .. 'store', 'protocol') == '3'
end

-- Whether no program of an earlier layout can ever have seen a task of this namespace: then the row of each that stands in a pack is there.
function packs.areOwn()
  return call('HEXISTS', prefix .. 'store', 'upgradedAt') == 0
end

function packs.sizeOf(text)
  return (#text - 1 - string.byte(text, -1)) / (ID_LENGTH + 1)
end

-- What the rows of its tasks have in common.
function packs.commonOf(text)
  return string.sub(text, -1 - string.byte(text, -1), -2)
end

function packs.idsOf(text)
  local size = packs.sizeOf(text)
  packs.format = packs.format or string.rep('c' .. ID_LENGTH .. 'x', PACK_SIZE)
  local ids = { struct.unpack(string.sub(packs.format, 1, 4 * size), text) }
  ids[size + 1] = nil
  return ids
end

-- Without its first tasks.
function packs.behind(text, count)
  return string.sub(text, count * (ID_LENGTH + 1) + 1)
end

-- Whether a task waits as it came. A program of an earlier layout that was connected when the first pack came knows of none, and may have cancelled
-- one of its tasks.
function packs.isAsItCame(row, head)
  if not row then return false end
  if not head then return true end
  local task = cmsgpack.unpack((commonOf(head)))
  return task[STATE] == 'queued' and task[VERSION] == 1
end

-- Takes packs apart, a list of each and its order. Answers how many tasks were in them.
function packs.open(queue, found)
  local key, count = prefix .. queueKey(queue), 0
  for i = 1, #found, 2 do
    local ids, list, n = packs.idsOf(found[i]), {}, 0
    local theirRows, heads = call('HMGET', prefix .. 'tasks', unpack(ids)), call('HMGET', prefix .. 'heads', unpack(ids))
    for place, id in ipairs(ids) do
      if packs.isAsItCame(theirRows[place], heads[place]) then
        list[n + 1], list[n + 2], n = found[i + 1], id, n + 2
      end
    end
    if n > 0 then call('ZADD', key, unpack(list)) end
    call('ZREM', key .. ':packs', found[i])
    count = count + #ids
  end
  return count
end

-- All that stand at one place of the order: one of them is about to leave it.
function packs.openAt(queue, order)
  if not packs.areIn(queue) then return end
  local at = string.format('%d', order)
  packs.open(queue, call('ZRANGEBYSCORE', prefix .. packs.keyOf(queue), at, at, 'WITHSCORES'))
end

-- So many of the first tasks of a queue, and those that stand between them.
function packs.openFirst(queue, count)
  local key, last = prefix .. packs.keyOf(queue), nil
  while count > 0 do
    local found = call('ZRANGE', key, 0, math.ceil(count / PACK_SIZE) - 1, 'WITHSCORES')
    if #found == 0 then return end
    last, count = found[#found], count - packs.open(queue, found)
  end
  if last then packs.open(queue, call('ZRANGEBYSCORE', key, last, last, 'WITHSCORES')) end
end

-- The first tasks that stand in packs, as { id, order } in the order of claims: so many, where there are. At one place of the order packs follow each other by
-- their first ids.
function packs.firstOf(queue, count)
  local key, list, rank = prefix .. packs.keyOf(queue), {}, 0
  local function comesBefore(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end
  while true do
    local found = call('ZRANGE', key, rank, rank + PACKS_PAGE - 1, 'WITHSCORES')
    for i = 1, #found, 2 do
      local ids, order, last = packs.idsOf(found[i]), tonumber(found[i + 1]), list[count]
      if last and comesBefore(last, { ids[1], order }) then return list end
      local theirRows, heads = call('HMGET', prefix .. 'tasks', unpack(ids)), call('HMGET', prefix .. 'heads', unpack(ids))
      for place, id in ipairs(ids) do
        if packs.isAsItCame(theirRows[place], heads[place]) then list[#list + 1] = { id, order } end
      end
      table.sort(list, comesBefore)
      for at = #list, count + 1, -1 do
        list[at] = nil
      end
    end
    rank = rank + #found / 2
    if #found == 0 then return list end
  end
end

-- Puts what stands in packs between what was just read of the line of these, up to its last one, or all where that is its end.
function packs.mix(line)
  local ids, orders, mixed, packed, at = line.ids, line.orders, {}, line.packed, line.packedAt or 1
  for i = 1, #ids do
    local pack = packed[at]
    while pack and (pack[2] < orders[i] or (pack[2] == orders[i] and pack[1] < ids[i])) do
      mixed[#mixed + 1], at = pack[1], at + 1
      pack = packed[at]
    end
    mixed[#mixed + 1] = ids[i]
  end
  while line.isDone and packed[at] do
    mixed[#mixed + 1], at = packed[at][1], at + 1
  end
  line.ids, line.packedAt = mixed, at
end

-- Of packs before this place in the order of claims: how many tasks, counted up to a bound.
function packs.countBefore(queue, order, id)
  local key, at, count, from = prefix .. packs.keyOf(queue), string.format('%d', order), 0, 0
  while count < limits.aheadMax do
    local found = call('ZRANGEBYSCORE', key, '-inf', '(' .. at, 'LIMIT', from, PACKS_PAGE)
    if #found == 0 then break end
    from = from + #found
    for _, text in ipairs(found) do
      count = count + packs.sizeOf(text)
    end
  end
  for _, text in ipairs(call('ZRANGEBYSCORE', key, at, at)) do
    for _, other in ipairs(packs.idsOf(text)) do
      if other < id then count = count + 1 end
    end
  end
  return count
end
