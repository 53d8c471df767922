-- Claims of packs: whole, where a claim would take all of their tasks in their order anyway.

-- The first packs of a line: { text, order, first }, nil behind the last. They are read in pages, the first of which is mostly all that a claim of so many tasks
-- has to know.
function packs.reader(key, wanted)
  local packsKey, pages, rank, size = key .. ':packs', {}, 0, math.ceil(wanted / PACK_SIZE) + 1
  return function(place)
    if place > rank then
      local found = call('ZRANGE', packsKey, rank, rank + size - 1, 'WITHSCORES')
      for i = 1, #found, 2 do
        rank = rank + 1
        pages[rank] = { text = found[i], order = found[i + 1], first = string.sub(found[i], 1, ID_LENGTH) }
      end
    end
    return pages[place]
  end
end

-- Adds `left` tasks of the first packs to `ids`. Answers how many packs it takes, the last of them, and how many of the last one; nil where packs stand at one
-- place of the order with ids between those of others.
function packs.collect(packAt, left, ids)
  local place, n, last, size, pack = 0, #ids, nil, 0, packAt(1)
  while pack and left > 0 do
    if last and pack.order == last.order and pack.first <= ids[n] then return nil end
    local own = packs.idsOf(pack.text)
    place, last, size = place + 1, pack, math.min(#own, left)
    for i = 1, size do
      ids[n + i] = own[i]
    end
    n, left, last.size = n + size, left - size, #own
    pack = packAt(place + 1)
  end
  if pack and pack.order == last.order and pack.first <= ids[n] then return nil end
  return place, last, size
end

-- How many stand in the line before its packs, where a claim may take these as they stand; nil where it may have to look behind them.
function packs.before(line, first)
  if lookFor.rules or lookFor.deadlines or lookFor.cursors or gate.queueRules[line.queue.name] then
    return call('EXISTS', line.key) == 0 and not gate.queueRules[line.queue.name] and 0 or nil
  end
  return call('ZCOUNT', line.key, '-inf', '(' .. first.order)
end

-- The crowds of packs that give all of these tasks. Their text is put together from those of the packs.
function packs.gather(ids, packAt)
  local crowds, texts, n, place, crowd, last = {}, {}, 0, 0, nil, nil
  while n < #ids do
    place = place + 1
    local text = packAt(place).text
    local common, count = packs.commonOf(text), math.min(packs.sizeOf(text), #ids - n)
    if common ~= last then
      crowd, last = { task = taskOf(common, nil), ids = nil, runs = {} }, common
      crowds[#crowds + 1] = crowd
      loadShapes({ crowd.task[SHAPE] })
    end
    addRun(crowd, ids, n + 1, n + count)
    texts[place], n = string.sub(text, 1, count * (ID_LENGTH + 1) - 1), n + count
  end
  idTexts[ids] = table.concat(texts, ' ')
  return crowds
end

-- Looks at tasks of which the first `before` stood in the line. Whether all others wait as they came.
function packs.look(list, before, packAt)
  local heads, isAnyTouched = call('HMGET', prefix .. 'heads', unpack(list)), before > 0
  for i = before + 1, #list do
    isAnyTouched = isAnyTouched or heads[i]
  end
  if packs.mayBeBare and not isAnyTouched and #list >= limits.bareMin and packs.areOwn() then
    packs.crowds = packs.gather(list, packAt)
    return true
  end
  local found = call('HMGET', prefix .. 'tasks', unpack(list))
  for i = before + 1, #list do
    if (heads[i] or not found[i]) and not packs.isAsItCame(found[i], heads[i]) then return false end
  end
  packs.found, packs.heads = found, heads
  return true
end

-- Adds the first tasks of a queue to `ids` as they stand: `before` of its line, and of the packs behind these as many as a claim wants. Answers whether it has;
-- nothing is changed where it has not.
function packs.take(line, packAt, before, ids)
  local queue, key = line.queue, line.key
  local wanted, packsKey, first = queue.left, key .. ':packs', packAt(1)
  if wanted < limits.packMin then return false end
  local list = before > 0 and call('ZRANGE', key, '0', FIRST_TO[before] or before - 1) or {}
  local count, last, size = packs.collect(packAt, wanted - before, list)
  if not count then return false end
  -- Others of the line stand between the packs, or behind all of them and are wanted too.
  if call('ZCOUNT', key, first.order, #list < wanted and '+inf' or last.order) > 0 then return false end
  if not packs.look(list, before, packAt) then return false end
  for i = 1, #list do
    ids[i] = list[i]
  end
  idTexts[ids] = idTexts[list]
  cuts[key], cuts[packsKey] = before, count
  if size < last.size then set(scores, packs.keyOf(queue.name), packs.behind(last.text, size), tonumber(last.order)) end
  queue.left, line.isDone = 0, true
  return true
end

-- Before a claim looks at lines: what it wants of packs is taken, or put into these.
function packs.meet(lines, ids)
  for _, line in ipairs(lines) do
    local queue = line.queue
    local packAt = queue.left > 0 and packs.areIn(queue.name) and packs.reader(line.isFair and line.ring[1].key or line.key, queue.left)
    local first = packAt and packAt(1)
    if first and packs.isLooking then
      local plain = line.isFair and line.ring[1] or line
      plain.packed = packs.firstOf(queue.name, queue.left)
    elseif first then
      local plain = line.isFair and line.ring[1] or line
      local before = packs.before(plain, first)
      local isEnough = before and before >= queue.left
      local isTaken = before and not isEnough and #lines == 1 and not line.isFair and packs.take(line, packAt, before, ids)
      if not isEnough and not isTaken then packs.openFirst(queue.name, queue.left) end
    end
  end
end
