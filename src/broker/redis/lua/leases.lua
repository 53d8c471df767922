-- Until when tasks are leased. All that one claim gave has one lease, by its token in `leases`: it goes with the last of its tasks. Whoever
-- was spoken of alone since, because a heartbeat named some of a claim and not the others, or that was restored, has a lease of its own
-- in `ownLeases`, and that one counts.

local leases = {}

function anew.leases()
  leases.isAnyOwn = nil
end

-- Mostly nobody has one, which is one question a call.
function leases.areOwn()
  if leases.isAnyOwn == nil then leases.isAnyOwn = call('EXISTS', prefix .. 'ownLeases') == 1 end
  return leases.isAnyOwn
end

-- Adds up who is extended by a call: `beaten` is by token a list of ids, each once.
function leases.extend(beaten, leaseUntil)
  local tokens = {}
  for token in pairs(beaten) do
    tokens[#tokens + 1] = token
  end
  if #tokens == 0 then return end
  for i, open in ipairs(call('HMGET', prefix .. 'openClaims', unpack(tokens))) do
    local token, ids = tokens[i], beaten[tokens[i]]
    local isWhole = #ids == tonumber(open)
    if isWhole then set(scores, 'leases', token, leaseUntil) end
    if not isWhole or leases.areOwn() then
      for _, id in ipairs(ids) do
        set(scores, 'ownLeases', id, not isWhole and leaseUntil)
      end
    end
  end
end

-- They run no longer.
function leases.leave(who)
  if leases.areOwn() then set(scores, 'ownLeases', who, false) end
end

-- The ends of their leases, 0 for what does not run: the tasks are known.
function leases.endsOf(ids)
  local own, ends, ofToken = leases.areOwn() and call('ZMSCORE', prefix .. 'ownLeases', unpack(ids)) or {}, {}, {}
  for i, id in ipairs(ids) do
    local token = tasks[id] and tasks[id][STATE] == 'running' and tasks[id][TOKEN]
    if token and not ofToken[token] then ofToken[token] = tonumber(call('ZSCORE', prefix .. 'leases', token)) or 0 end
    ends[i] = tonumber(own[i]) or (token and ofToken[token]) or 0
  end
  return ends
end

-- The ids that a claim was given, also those that have ended since; nothing for one that is not known.
function leases.idsOfClaim(text)
  return words(string.sub(text or '', 42))
end
