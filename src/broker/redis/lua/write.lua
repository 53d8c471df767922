-- The one write at the end of a script: everything that was kept in tables, each key with as few commands as it takes.

-- Within a call these follow each other so that along the events every task's versions grow.
local eventOrder = {
  'restore', 'enqueue', 'settle', 'judge', 'replace', 'block', 'unblock', 'claim', 'promote', 'cancel', 'cancelRequest',
  'update', 'retry', 'remove', 'prune', 'configure', 'control', 'fire',
}

-- `unpack` fails near 8,000 values.
local function variadic(command, name, values)
  for from = 1, #values, 4000 do
    call(command, prefix .. name, unpack(values, from, math.min(from + 3999, #values)))
  end
end

-- One command for what is there, one for what is gone; `order` puts a value and its field as the command wants them.
local function writeAll(tables, there, gone, isScore)
  for name, fields in pairs(tables) do
    local values, lost, n = {}, {}, 0
    for field, value in pairs(fields) do
      if value == false then
        lost[#lost + 1] = field
      elseif isScore then
        values[n + 1], values[n + 2] = value, field
        n = n + 2
      else
        values[n + 1], values[n + 2] = field, value
        n = n + 2
      end
    end
    if n > 0 then variadic(there, name, values) end
    if #lost > 0 then variadic(gone, name, lost) end
  end
end

local function writeMembers()
  for name, fields in pairs(members) do
    local present, lost = {}, {}
    for member, isThere in pairs(fields) do
      local list = isThere and present or lost
      list[#list + 1] = member
    end
    if #present > 0 then variadic('SADD', name, present) end
    if #lost > 0 then variadic('SREM', name, lost) end
  end
end

-- A sum that is zero leaves nothing behind, nor does what was kept for it.
local function writeSums()
  for id, views in pairs(counted) do
    for view, delta in pairs(views) do
      if delta ~= 0 then add('counts', cjson.encode({ shapes[id][QUEUE], shapes[id][NAME], view }), delta) end
    end
  end
  for name, fields in pairs(sums) do
    for field, delta in pairs(fields) do
      if delta ~= 0 and call('HINCRBY', prefix .. name, field, delta) == 0 then
        call('HDEL', prefix .. name, field)
        if name == 'openClaims' then
          local worker = string.sub(call('HGET', prefix .. 'claims', field), 1, 40)
          call('HDEL', prefix .. 'claims', field)
          call('SREM', prefix .. 'worker:' .. worker, field)
        elseif name == 'shapeUses' then
          call('HDEL', prefix .. 'shapeIds', call('HGET', prefix .. 'shapes', field))
          call('HDEL', prefix .. 'shapes', field)
        end
      end
    end
  end
end

local function writeEvents()
  for _, kind in ipairs(eventOrder) do
    if events[kind] then
      -- By the number of its tasks, so that the difference of two numbers is what lies between them.
      local size = 0
      for _, group in ipairs(events[kind]) do
        size = size + #group[8]
      end
      seq = seq + math.max(1, size)
      local items = #events[kind] > 0 and cjson.encode(events[kind]) or '[]'
      call('XADD', prefix .. 'events', seq .. '-0', 'at', now, 'kind', kind, 'items', items)
    end
  end
end

-- Writes tasks and where they are found. Called before `write` only when the same script has to see it.
local function writeTasks()
  for id, task in pairs(dirty) do
    packed[id] = cmsgpack.pack(task)
    set(puts, 'heads', id, packed[id])
  end
  writeAll(puts, 'HSET', 'HDEL', false)
  writeAll(scores, 'ZADD', 'ZREM', true)
  writeMembers()
  for name, texts in pairs(pushes) do
    variadic('RPUSH', name, texts)
  end
  if #gone > 0 then call('DEL', unpack(gone)) end
  puts, scores, members, pushes, gone, dirty = {}, {}, {}, {}, {}, {}
  turns.write()
end

-- The error for more when the recorder is far behind, nil otherwise.
local function outboxIsFull()
  local pending = seq - trimmed
  if pending >= limits.outboxMax then return redis.error_reply('OUTBOXFULL ' .. pending) end
end

-- Nothing changed, nothing is written, not even the clock: an idle poll costs a look.
local function write()
  if not (next(puts) or next(scores) or next(members) or next(dirty) or next(events)) then return end
  writeTasks()
  writeSums()
  writeEvents()
  call('HSET', prefix .. 'store', 'now', now, 'seq', seq)
end
