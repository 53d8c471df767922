-- Tasks that are new, queued at once, and differ in nothing but their payloads: what most calls of `enqueue` bring. They are stored as `arrivals`
-- would store them, by the same commands, but without the tables of this library: nothing of these is begun anew for them.

local plain = { list = {} }

-- Whether nobody knows one of them or waits for it.
function plain.areNew(ids)
  if call('EXISTS', prefix .. 'awaited') == 1 then return false end
  local known = call('HMGET', prefix .. 'tasks', unpack(ids))
  for i = 1, #ids do
    if known[i] then return false end
  end
  return true
end

-- Rows. One list is kept for them, since one that grows costs three times as much: behind it no payload is left in it.
function plain.putRows(ids, start)
  local list, payloads, n, at = plain.list, ARGV, #ids, 0
  for i = 1, n do
    list[at + 1], list[at + 2] = ids[i], start .. payloads[5 + i]
    at = at + 2
  end
  call('HSET', prefix .. 'tasks', unpack(list, 1, at))
  for place = 2, at, 2 do
    list[place] = false
  end
end

-- Many stand in line as packs, few each for itself.
function plain.stand(ids, common, queue, order)
  if #ids >= limits.packMin and packs.areKnown() then return packs.put(queue, ARGV[3], #ids, common, order) end
  local list = {}
  for i = 1, #ids do
    list[2 * i - 1], list[2 * i] = order, ids[i]
  end
  call('ZADD', prefix .. queueKey(queue), unpack(list))
end

-- As `record` and `writeEvents` would write it. The ids are ids: nothing in their text is to be escaped.
function plain.tell(shape, n)
  local begin = shape.arrived
  if not begin then
    begin = string.sub(cjson.encode({ shape[NAME], shape[QUEUE], 1, false, 'queued', false, 0 }), 1, -2)
    shape.arrived = begin
  end
  seq = seq + n
  local items = '[' .. begin .. ',"' .. ARGV[3] .. '"]]'
  call('XADD', prefix .. 'events', numberText(seq) .. '-0', 'at', numberText(now), 'kind', 'enqueue', 'items', items)
  call('HSET', prefix .. 'store', 'now', numberText(now), 'seq', numberText(seq))
end

-- Answers whether other processes were told, 1 or 0; nil when a call is another one, and nothing was done.
function plain.store()
  -- The caller has seen that ids ascend, and that there is one form and nothing beside it.
  if ARGV[4] ~= '=' or seq - trimmed >= limits.outboxMax or shapesReadCount > TEXTS_KEPT then return nil end
  -- So few may be handed over.
  if #ARGV - 5 <= limits.handOverMax and next(standing.all) then return nil end
  local form, ids = readForms(ARGV[2])[1], readIds(ARGV[3])
  if form[2] > 0 or form[3] or form[4] or form[5] then return nil end
  local id = tonumber(call('HGET', prefix .. 'shapeIds', form[1]) or nil)
  if not id or not plain.areNew(ids) then return nil end
  local shape = readShape(form[1])
  local queue = shape[QUEUE]
  local common = cmsgpack.pack(id, now, now, false, false, '')
  plain.putRows(ids, join(common, arrivals.nothingOwn))
  plain.stand(ids, common, queue, numberText(orderAt(shape, now)))
  call('HINCRBY', prefix .. 'shapeUses', id, #ids)
  call('HINCRBY', prefix .. 'counts', countName(shape, 'queued'), #ids)
  plain.tell(shape, #ids)
  standing.endFor({ queue })
  if not teller then return 0 end
  redis.pcall('SPUBLISH', prefix .. 'signals', cjson.encode({ from = teller, work = { queue } }))
  return 1
end
