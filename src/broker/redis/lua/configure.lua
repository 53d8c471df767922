#!lua flags=allow-oom
-- configure: the pause of a queue, group or limit, the maximum and rate of a queue or limit, the weight of a group.
--
-- ARGV[2] "queue", "group" or "limit", ARGV[3] its name
-- ARGV[4] the settings as JSON, absent where nothing changes, false for back to the default:
--   { pause: { by, reason }, max, rate: { count, perMs }, weight }
-- Answers 1 when a queue or group was resumed.

return function()
  local scope, name, settings = ARGV[2], ARGV[3], cjson.decode(ARGV[4])
  local isResumed = false

  -- The pause after this call.
  local function pauseAfter(known)
    if settings.pause == nil then return known end
    if settings.pause then settings.pause.at = now end
    return settings.pause
  end

  -- Answers whether it has a maximum or a rate now.
  local function configureLimit(name)
    local text = call('HGET', prefix .. 'limits', name)
    local known = text and cjson.decode(text) or { false, false, false, false }
    if settings.max ~= nil then known[1] = settings.max end
    if settings.rate ~= nil then
      local count, perMs = settings.rate and settings.rate.count, settings.rate and settings.rate.perMs
      -- Else a slow rate, made faster, would hold back for its old period. One that is set again as it was forgets nothing.
      if count ~= known[2] or perMs ~= known[3] then set(scores, 'tats', name, false) end
      known[2], known[3] = count, perMs
    end
    if scope == 'limit' then known[4] = pauseAfter(known[4]) end
    local isSet = known[1] or known[2] or known[4]
    set(puts, 'limits', name, isSet and cjson.encode(known))
    gate.list(name, isSet or call('EXISTS', prefix .. slotsKey(name)) == 1)
    return known[1] or known[2]
  end

  -- Who runs in a queue when it gets its limit holds a slot from then on. All who run are looked through, once, for a person.
  local function takeRunning(queue)
    local ids = call('ZRANGE', prefix .. 'ownLeases', 0, -1)
    for _, text in ipairs(call('HVALS', prefix .. 'claims')) do
      for _, id in ipairs(leases.idsOfClaim(text)) do
        ids[#ids + 1] = id
      end
    end
    edges.load(ids)
    for _, id in ipairs(ids) do
      local task = tasks[id]
      if task and task[STATE] == 'running' and shapes[task[SHAPE]][QUEUE] == queue then
        set(members, slotsKey(gate.QUEUE_MARK .. queue), id, true)
      end
    end
  end

  local function configureQueue()
    local known = gate.readQueue(name, call('HGET', prefix .. 'queues', name))
    local wasLimited = gate.queueRules[name] ~= false
    local isLimited = wasLimited
    if settings.max ~= nil or settings.rate ~= nil then isLimited = configureLimit(gate.QUEUE_MARK .. name) and true or false end
    if isLimited and not wasLimited then takeRunning(name) end
    if wasLimited and not isLimited then gone[#gone + 1] = prefix .. slotsKey(gate.QUEUE_MARK .. name) end
    local pause = known
    if settings.pause ~= nil then pause = settings.pause and cjson.encode(pauseAfter()) or '' end
    set(puts, 'queues', name, (isLimited and gate.LIMITED or '') .. pause)
    isResumed = known ~= '' and pause == ''
  end

  local function configureGroup()
    local known = turns.settingsOf(name)
    local weight, pause = known[1], pauseAfter(known[2])
    if settings.weight ~= nil then weight = settings.weight end
    local isSet = weight or pause
    turns.settings[name], turns.isAnySet = { weight, pause }, true
    set(puts, 'groups', name, isSet and cjson.encode(turns.settings[name]))
    set(scores, 'groupNames', name, isSet and 0)
    isResumed = known[2] and not pause
    if not known[2] == not pause then return end
    -- It leaves the lines of all queues, or stands in them again.
    for _, queue in ipairs(call('HKEYS', prefix .. 'rounds')) do
      turns.touch(queue, name)
    end
  end

  if scope == 'queue' then configureQueue() elseif scope == 'group' then configureGroup() else configureLimit(name) end
  events.configure = {}
  write()
  return isResumed and 1 or 0
end
