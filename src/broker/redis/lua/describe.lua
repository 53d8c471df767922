-- How tasks leave the store: heads and rows as they are kept, and beside them what these tasks need to be read.

-- The ends of leases, in the order of `ids`; 0 for what does not run. `leaseUntil` when all of them were given just now.
local function leasesOf(ids, leaseUntil)
  local leases = {}
  if #ids == 0 then return leases end
  for i, score in ipairs(leaseUntil and ids or call('ZMSCORE', prefix .. 'leases', unpack(ids))) do
    leases[i] = leaseUntil or tonumber(score) or 0
  end
  return leases
end

-- The shapes of tasks: id, text, …
local function shapesOf(ids)
  local seen, list = {}, {}
  for _, id in ipairs(ids) do
    local shape = tasks[id][SHAPE]
    if not seen[shape] then
      seen[shape] = true
      list[#list + 1], list[#list + 2] = shape, shapeTexts[shape]
    end
  end
  return list
end

-- The texts beside the heads: place, letter, text, …
local function asidesOf(ids)
  local list = {}
  for place, id in ipairs(ids) do
    for letter in string.gmatch(tasks[id][ASIDE], '.') do
      if besides[letter] then
        list[#list + 1], list[#list + 2] = place, letter
        list[#list + 1] = call('HGET', prefix .. besides[letter], id)
      end
    end
  end
  return list
end

-- Answers { ids, heads, rows, leases, shapes, asides } of those that are known, in the order of `ids`. What was changed is
-- written before.
local function describe(ids, leaseUntil)
  load(ids, true)
  local known, heads, found = {}, {}, {}
  for _, id in ipairs(ids) do
    if tasks[id] then
      known[#known + 1], found[#found + 1] = id, rows[id]
      heads[#heads + 1] = packed[id] or cmsgpack.pack(tasks[id])
    end
  end
  return { table.concat(known, ' '), heads, found, leasesOf(known, leaseUntil), shapesOf(known), asidesOf(known) }
end
