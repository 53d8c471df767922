-- The rules of tasks, and how many queued tasks of a queue carry which: `queue:<name>:rules` counts them by the text of the rules. So a claim
-- knows when nothing is left but tasks with full limits. Tasks that were queued before there was such a count are missing in it: then
-- it is too low, and the claim looks through them.

-- By the ids of tasks; by texts; names of limits that let nobody run for the rest of the call.
local rulesOf, rulesRead, closedNames
-- What is known of the tasks of an open claim, by its token: { token, incarnation, claimedAt, rules, ids, text, owns, parts, size }, the rules that all carry, false
-- when they do not; where it was kept of `size` tasks, their ids in its order and as a text, their keys and groups by ids, and `parts`, each the ids of a crowd and
-- after each id its head, as they were written. It is kept from one call to the next, as far as a server may lose it without a thought, so that a
-- settlement need not read what never changes while a task runs, and sees at once what has not changed. `size` is that of all.
ofClaims = { all = {}, count = 0, size = 0 }
local CLAIMS_KEPT = 1000
-- More than so many tasks run nowhere at once but in large clusters: they are four megabytes.
local OWNS_KEPT = 10000

function anew.rules()
  if ofClaims.count > CLAIMS_KEPT then ofClaims.all, ofClaims.count, ofClaims.size = {}, 0, 0 end
  rulesOf, rulesRead, closedNames = fresh(rulesOf), fresh(rulesRead), fresh(closedNames)
end

-- Whether a text names a closed limit, told without making rules of it, for what may be thousands of texts. Within a name of JSON there is a
-- backslash before quotes, and a name with one is not looked for.
local function namesClosed(text)
  for name in string.gmatch(text, '%["([^"\\]*)"') do
    if closedNames[name] then return true end
  end
  return false
end

local function readRules(text)
  local isClosed = next(closedNames) ~= nil and namesClosed(text)
  local rules = isClosed and {} or edges.namedLists(text, true)
  rules.text, rules.isClosed = text, isClosed
  rulesRead[text] = rules
  return rules
end

-- The rules that all tasks carry that wait in a queue, by their counts; false when they do not, or these are about to change. A count may be too
-- low, and is never too high.
local function rulesOfAll(name)
  local key = queueKey(name)
  local counts = key .. ':rules'
  if sums[counts] or packs.areIn(name) or call('HLEN', prefix .. counts) ~= 1 then return false end
  local found = call('HRANDFIELD', prefix .. counts, 1, 'WITHVALUES')
  if tonumber(found[2]) ~= call('ZCARD', prefix .. key) + call('ZCARD', prefix .. key .. ':grouped') then return false end
  return rulesRead[found[1]] or readRules(found[1])
end

-- For a claim of so many it pays to ask that first.
local ASK_ALL_MIN = 100

-- The rules that all of a queue carry of which a claim takes so many; false when they do not, or nobody has asked.
local function rulesOfWhole(queue)
  if queue.rules == nil and queue.limit >= ASK_ALL_MIN then queue.rules = rulesOfAll(queue.name) end
  return queue.rules or false
end

-- Reads the rules of those of the tasks that have any. Many have the same. A claim says from which `queue` they are: where all of it carry the same,
-- these stand there, and not with each task.
local function loadRules(ids, queue)
  if #ids == 0 then return end
  if queue and rulesOfWhole(queue) then return end
  local last, rules
  for i, text in ipairs(call('HMGET', prefix .. 'rules', unpack(ids))) do
    if text ~= last then
      last, rules = text, text and (rulesRead[text] or readRules(text)) or nil
    end
    rulesOf[ids[i]] = rules
  end
end

-- Counts tasks that come to a line, or leave it, by the rules that they have by then. Those of a crowd may come with it.
local function countRules(key, who, delta)
  local own = type(who) == 'table' and puts.rules and puts.rules[who]
  if type(own) == 'string' then return add(key .. ':rules', own, delta * #who) end
  if own then
    for i = 1, #own do
      add(key .. ':rules', own[i], delta)
    end
    return
  end
  local ids, new, unknown, counts = idsOf(who), puts.rules or {}, {}, {}
  for _, id in ipairs(ids) do
    if not new[id] and not rulesOf[id] then unknown[#unknown + 1] = id end
  end
  loadRules(unknown)
  for _, id in ipairs(ids) do
    local text = new[id] or (rulesOf[id] and rulesOf[id].text)
    if text then counts[text] = (counts[text] or 0) + delta end
  end
  for text, change in pairs(counts) do
    add(key .. ':rules', text, change)
  end
end

-- How many queued tasks carry such rules, with those that came and left in this call.
local function countOfRules(key, text)
  local name = key .. ':rules'
  return (tonumber(call('HGET', prefix .. name, text)) or 0) + (sums[name] and sums[name][text] or 0)
end

-- What is known of keys and groups is that of these tasks.
function ofClaims.keep(token, rules, ids)
  ofClaims.drop(token)
  local kept = { token = token, incarnation = incarnation, claimedAt = now, rules = rules or false, ids = nil, text = nil, owns = nil, parts = nil, size = 0 }
  if next(owns) and ofClaims.size + #ids <= OWNS_KEPT then
    kept.ids, kept.text, kept.owns, kept.parts, kept.size = ids, textOfIds(ids), owns, {}, #ids
  end
  if not rules and not kept.owns then return end
  ofClaims.all[token], ofClaims.count, ofClaims.size = kept, ofClaims.count + 1, ofClaims.size + kept.size
end

-- These heads were written of tasks of this crowd.
function ofClaims.keepHeads(task, ids, heads)
  local kept = task[STATE] == 'running' and ofClaims.of(task)
  if kept and kept.owns == owns then kept.parts[#kept.parts + 1] = { ids = ids, heads = heads } end
end

-- The ids of this text, where it names all that a claim gave.
function ofClaims.idsOf(token, text)
  local kept = ofClaims.all[token]
  return kept and kept.text == text and kept.ids or nil
end

-- Of the claim of a task that runs. One that was lost with a server and sent again has another time.
function ofClaims.of(task)
  local kept = task[TOKEN] and ofClaims.all[task[TOKEN]]
  return kept and kept.incarnation == incarnation and kept.claimedAt == task[CLAIMED_AT] and kept or nil
end

-- The rules of a task that runs, when they are known without a look.
function ofClaims.rulesOf(task)
  local kept = ofClaims.of(task)
  return kept and kept.rules
end

function ofClaims.drop(token)
  local kept = ofClaims.all[token]
  if kept then ofClaims.all[token], ofClaims.count, ofClaims.size = nil, ofClaims.count - 1, ofClaims.size - kept.size end
end
