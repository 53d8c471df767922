-- The one write at the end of a script: everything that was kept in tables, each key with as few commands as it takes.

-- Redis writes a number as an argument with all its digits, which takes longer than to find a few tasks: `FIRST_TO[n]` is the rank of the nth.
local FIRST_TO = { '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }

local writeTasks, outboxIsFull, write, numberText, countName

do
  -- Within a call these follow each other so that along the events every task's versions grow.
  local eventOrder = {
    'restore', 'enqueue', 'settle', 'judge', 'replace', 'block', 'unblock', 'claim', 'promote', 'cancel', 'cancelRequest',
    'update', 'retry', 'remove', 'prune', 'configure', 'control', 'fire',
  }

  -- As Redis would write a number, which takes five times as long for a whole one.
  function numberText(value)
    return string.format(value % 1 == 0 and '%d' or '%.17g', value)
  end

  -- Puts what a crowd has in common, or what each of it has, behind the `n` first of `values`: pairs of a field and its value, or the other
  -- way round. Answers how many there are then. They are put in their order: a table that is filled otherwise grows by detours.
  local function spread(values, n, ids, value, isFieldFirst)
    local own = type(value) == 'table' and value
    if type(value) == 'number' then value = numberText(value) end
    for i = 1, #ids do
      if own then value = own[i] end
      if isFieldFirst then
        values[n + 1], values[n + 2] = ids[i], value
      else
        values[n + 1], values[n + 2] = value, ids[i]
      end
      n = n + 2
    end
    return n
  end

  -- So many of a crowd are worth a command of their own: then their list goes as it is.
  local ALONE_MIN = 100

  -- `large` has those that go alone.
  local function addWho(list, who, large)
    if type(who) ~= 'table' then
      list[#list + 1] = who
      return
    end
    if #who >= ALONE_MIN then
      large[#large + 1] = who
      return
    end
    local m = #list
    for i = 1, #who do
      list[m + i] = who[i]
    end
  end

  -- What one crowd has in common, which mostly is all that is written of its kind. The list is kept from call to call, as it need not grow then:
  -- what it holds is ids and one text, and Redis counts what its scripts hold.
  local pairsKept = {}
  local PAIRS_KEPT = 1000
  local function writeCrowd(command, name, ids, value, isFieldFirst)
    spread(pairsKept, 0, ids, value, isFieldFirst)
    call(command, prefix .. name, unpack(pairsKept, 1, 2 * #ids))
  end

  -- One command for what is there, then one for what is gone. What comes first in each pair that the command wants is said by `isFieldFirst`.
  local function writeAll(tables, there, gone, isFieldFirst)
    local typeOf = type
    for name, fields in pairs(tables) do
      local values, lost, large, n = {}, {}, {}, 0
      local only, shared = next(fields)
      if typeOf(only) == 'table' and not next(fields, only) then
        if not shared then
          variadic(gone, name, only)
          fields = values
        elseif #only <= PAIRS_KEPT and typeOf(shared) ~= 'table' then
          writeCrowd(there, name, only, shared, isFieldFirst)
          fields = values
        elseif #only <= PAIRS_KEPT then
          -- One that has its size already.
          values = { unpack(lost, 1, 2 * #only) }
        end
      end
      for who, value in pairs(fields) do
        if not value then
          addWho(lost, who, large)
        elseif typeOf(who) == 'table' then
          n = spread(values, n, who, value, isFieldFirst)
        elseif isFieldFirst then
          values[n + 1], values[n + 2], n = who, value, n + 2
        else
          values[n + 1], values[n + 2], n = type(value) == 'number' and numberText(value) or value, who, n + 2
        end
      end
      if n > 0 then variadic(there, name, values) end
      if #lost > 0 then variadic(gone, name, lost) end
      for i = 1, #large do
        variadic(gone, name, large[i])
      end
    end
  end

  local function writeMembers()
    for name, fields in pairs(members) do
      local present, lost, largePresent, largeLost = {}, {}, {}, {}
      local only, isIn = next(fields)
      if type(only) == 'table' and not next(fields, only) then
        if isIn then present = only else lost = only end
        fields = {}
      end
      for member, isThere in pairs(fields) do
        addWho(isThere and present or lost, member, isThere and largePresent or largeLost)
      end
      if #present > 0 then variadic('SADD', name, present) end
      if #lost > 0 then variadic('SREM', name, lost) end
      for i = 1, #largePresent do
        variadic('SADD', name, largePresent[i])
      end
      for i = 1, #largeLost do
        variadic('SREM', name, largeLost[i])
      end
    end
  end

  function countName(shape, view)
    local name = shape.counts[view]
    if not name then
      name = cjson.encode({ shape[QUEUE], shape[NAME], view })
      shape.counts[view] = name
    end
    return name
  end

  -- A sum that is zero leaves nothing behind, nor does what was kept for it.
  local function writeSums()
    for id, views in pairs(counted) do
      for view, delta in pairs(views) do
        if delta ~= 0 then add('counts', countName(shapes[id], view), delta) end
      end
    end
    for name, fields in pairs(sums) do
      for field, delta in pairs(fields) do
        local isOver = delta ~= 0 and call('HINCRBY', prefix .. name, field, numberText(delta)) == 0
        if isOver then call('HDEL', prefix .. name, field) end
        -- A shape that came and went in this call has no sum yet.
        if delta == 0 and name == 'shapeUses' then isOver = call('HEXISTS', prefix .. name, field) == 0 end
        if isOver then
          if name == 'openClaims' then
            local worker = string.sub(call('HGET', prefix .. 'claims', field), 1, 40)
            ofClaims.drop(field)
            call('HDEL', prefix .. 'claims', field)
            call('ZREM', prefix .. 'leases', field)
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
          size, group[8], group[9] = size + group[9], table.concat(group[8], ' '), nil
        end
        seq = seq + math.max(1, size)
        local items = #events[kind] > 0 and cjson.encode(events[kind]) or '[]'
        call('XADD', prefix .. 'events', numberText(seq) .. '-0', 'at', numberText(now), 'kind', kind, 'items', items)
      end
    end
  end

  -- Of a crowd in which each has something of its own behind what all have in common: `texts` are one result for all, or one for each.
  local function writeOwnHeads(who, task, start, texts)
    local own, values, n = owns, { unpack(who, #who + 1, #who <= PAIRS_KEPT and 3 * #who or 0) }, 0
    local isNamed, each = has(task, 'k') or has(task, 'g'), type(texts) == 'table' and texts
    for i = 1, #who do
      local id = who[i]
      if each then
        values[n + 1], values[n + 2] = id, start .. (isNamed and own[id] or '') .. each[i]
      else
        values[n + 1], values[n + 2] = id, start .. own[id] .. texts
      end
      n = n + 2
    end
    ofClaims.keepHeads(task, who, values)
    variadic('HSET', 'heads', values)
  end

  -- Mostly it is the same for all of a crowd, or nothing.
  local function writeHead(who, task)
    local common = cmsgpack.pack(task)
    packed[task] = common
    local isNamed, hasResult, start = has(task, 'k') or has(task, 'g'), has(task, 'i'), join(common, '')
    if type(who) == 'string' then
      return set(puts, 'heads', who, start .. (isNamed and owns[who] or '') .. (hasResult and resultOf(who) or ''))
    end
    local texts = not hasResult and '' or crowdResults[who]
    if not texts then
      texts = {}
      for i, id in ipairs(who) do
        texts[i] = resultOf(id)
      end
    end
    if isNamed or type(texts) == 'table' then return writeOwnHeads(who, task, start, texts) end
    set(puts, 'heads', who, start .. texts)
  end

  -- Writes tasks and where they are found. Called before `write` only when the same script has to see it.
  function writeTasks()
    for who, task in pairs(dirty) do
      writeHead(who, task)
    end
    for name, size in pairs(cuts) do
      if size > 0 then call('ZREMRANGEBYRANK', name, '0', FIRST_TO[size] or size - 1) end
    end
    writeAll(puts, 'HSET', 'HDEL', true)
    writeAll(scores, 'ZADD', 'ZREM', false)
    writeMembers()
    for name, texts in pairs(pushes) do
      variadic('RPUSH', name, texts)
    end
    if #gone > 0 then call('DEL', unpack(gone)) end
    puts, scores, members, cuts = fresh(puts), fresh(scores), fresh(members), fresh(cuts)
    pushes, gone, dirty = fresh(pushes), fresh(gone), fresh(dirty)
    turns.write()
  end

  -- The error for more when the recorder is far behind, nil otherwise.
  function outboxIsFull()
    local pending = seq - trimmed
    if pending >= limits.outboxMax then return redis.error_reply('OUTBOXFULL ' .. pending) end
  end

  -- Nothing changed, nothing is written, not even the clock: an idle poll costs a look, and lets the groups of an empty queue begin anew.
  function write()
    if not (next(puts) or next(scores) or next(members) or next(dirty) or next(events)) then return turns.write() end
    writeTasks()
    writeSums()
    writeEvents()
    call('HSET', prefix .. 'store', 'now', numberText(now), 'seq', numberText(seq))
  end
end
