#!lua flags=allow-oom
-- claimOverdue: hands whatever needs a verdict to one judge at a time; the reason is read from the task on every look.
--
-- ARGV[2] token, ARGV[3] how many at most, ARGV[4] leaseMs, ARGV[5] ids of dead workers, a JSON list
-- Answers the tasks, see describe, the reason of each, and its failed parents where these are the reason.

return function()
  local token, limit, leaseMs, isDead, dead = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), {}, cjson.decode(ARGV[5])
  for _, workerId in ipairs(dead) do
    isDead[workerId] = true
  end

  -- The first reason that holds, or nil.
  local function reasonOf(id, task, leaseUntil)
    local expiresAt, grace = task[EXPIRES_AT], limits.graceMs
    if isWaiting(task[STATE]) then
      if expiresAt and expiresAt <= now then return 'expired' end
      if task[STATE] == 'blocked' then return edges.count('failed', id) > 0 and 'dependency_failed' or nil end
      return task[START_BY] and task[START_BY] <= now and 'start_deadline' or nil
    end
    if task[STATE] ~= 'running' then return nil end
    local isOver = leaseUntil <= now or isDead[task[WORKER_ID]]
    if task[CANCEL_AT] and (isOver or task[CANCEL_AT] + grace <= now) then return 'cancel_requested' end
    if expiresAt and expiresAt <= now and (isOver or expiresAt + grace <= now) then return 'expired' end
    local timeoutMs = shapes[task[SHAPE]][TIMEOUT_MS]
    if task[STARTED_AT] and timeoutMs and task[STARTED_AT] + timeoutMs + grace <= now then return 'timeout' end
    return isOver and 'lease_expired' or nil
  end

  -- Ids that may be overdue, each once: past a deadline, past a lease, of a dead worker. Bounded: the rest is for the next look.
  local seen, ids, most, over, idsOfToken = {}, {}, limits.claimScanMax * limits.claimReadsMax, nil, {}
  local function suspect(found)
    for _, id in ipairs(found) do
      if not seen[id] and #ids < most then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
  end
  -- Of a claim only those that still run under it may be overdue.
  local function suspectClaims(tokens)
    for _, claimed in ipairs(tokens) do
      if #ids >= most then return end
      idsOfToken[claimed] = leases.idsOfClaim(call('HGET', prefix .. 'claims', claimed))
      suspect(idsOfToken[claimed])
    end
  end
  local function suspectAll()
    for _, name in ipairs({ 'deadlines', 'ownLeases' }) do
      suspect(call('ZRANGEBYSCORE', prefix .. name, '-inf', now, 'LIMIT', 0, most))
    end
    over = call('ZRANGEBYSCORE', prefix .. 'leases', '-inf', now, 'LIMIT', 0, most)
    suspectClaims(over)
    for _, workerId in ipairs(dead) do
      suspectClaims(call('SMEMBERS', prefix .. 'worker:' .. redis.sha1hex(workerId)))
    end
  end

  local reasons, mine, free, endOf = {}, {}, {}, {}
  local function judgeable(chunk)
    load(chunk)
    local ends = leases.endsOf(chunk)
    for i, id in ipairs(chunk) do
      local task = tasks[id]
      endOf[id] = ends[i]
      local reason = task and reasonOf(id, task, ends[i])
      if reason then
        reasons[id] = reason
        if task[JUDGE_TOKEN] == token then mine[#mine + 1] = id end
        if not task[JUDGE_UNTIL] or task[JUDGE_UNTIL] <= now then free[#free + 1] = id end
      end
    end
  end

  -- Where all who run of a claim that is over have leases of their own, nobody looks at it again, in the place of others, before one of these ends.
  local function postpone(claimed)
    local first = math.huge
    for _, id in ipairs(idsOfToken[claimed] or {}) do
      -- Behind `most` nobody has looked.
      if tasks[id] == nil then return end
      if tasks[id] and tasks[id][TOKEN] == claimed then first = math.min(first, endOf[id]) end
    end
    if first > now and first < math.huge then set(scores, 'leases', claimed, first) end
  end

  suspectAll()
  for from = 1, #ids, 1000 do
    judgeable({ unpack(ids, from, math.min(from + 999, #ids)) })
  end
  for _, claimed in ipairs(over) do
    postpone(claimed)
  end
  local given = mine
  if #mine == 0 then
    given = { unpack(free, 1, math.min(limit, #free)) }
    for _, id in ipairs(given) do
      tasks[id][JUDGE_TOKEN], tasks[id][JUDGE_UNTIL] = token, now + leaseMs
      dirty[id] = tasks[id]
    end
  end
  write()
  -- The parents that failed, in the order in which the task named them: id, name, state, …, empty for those who are gone.
  local function failedParents(id)
    local letters, list = edges.all(id), {}
    for _, dependency in ipairs(edges.dependsOn(id)) do
      local parent = dependency[1]
      if letters[parent] == 'f' then
        load({ parent })
        local task = tasks[parent]
        for _, value in ipairs({ parent, dependency[2], task and shapes[task[SHAPE]][NAME] or '', task and task[STATE] or '' }) do
          list[#list + 1] = value
        end
      end
    end
    return list
  end

  local why, failed = {}, {}
  for i, id in ipairs(given) do
    why[i], failed[i] = reasons[id], reasons[id] == 'dependency_failed' and failedParents(id) or {}
  end
  return { describe(given), why, failed }
end
