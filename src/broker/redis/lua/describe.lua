-- How tasks leave the store: heads and rows as they are kept, and beside them what these tasks need to be read.

-- The ends of leases, in the order of `ids`; 0 for what does not run. One alone when all of them were given just now.
local function leasesOf(ids, leaseUntil)
  if #ids == 0 or leaseUntil then return { leaseUntil } end
  local leases = {}
  for i, score in ipairs(call('ZMSCORE', prefix .. 'leases', unpack(ids))) do
    leases[i] = tonumber(score) or 0
  end
  return leases
end

-- What heads have in common, each once, and which of them is whose, nothing when there is one; their shapes as id, text, …
local function headsOf(ids)
  local heads, numbers, headOfEach, seen, list = {}, {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local task = tasks[id]
    local number = numbers[task]
    if not number then
      number = #heads + 1
      heads[number], numbers[task] = packed[task] or cmsgpack.pack(task), number
      local shape = task[SHAPE]
      if not seen[shape] then
        seen[shape] = true
        list[#list + 1], list[#list + 2] = shape, shapeTexts[shape]
      end
    end
    headOfEach[i] = number
  end
  return heads, #heads > 1 and table.concat(headOfEach, ' ') or '', list
end

-- The texts beside the heads: place, letter, text, …
local function asidesOf(ids)
  local wanted, list = {}, {}
  for place, id in ipairs(ids) do
    local aside = tasks[id][ASIDE]
    if aside ~= '' then
      for letter in string.gmatch(aside, '.') do
        if besides[letter] then
          wanted[letter] = wanted[letter] or { ids = {}, places = {} }
          table.insert(wanted[letter].ids, id)
          table.insert(wanted[letter].places, place)
        end
      end
    end
  end
  for letter, of in pairs(wanted) do
    for i, text in ipairs(call('HMGET', prefix .. besides[letter], unpack(of.ids))) do
      list[#list + 1], list[#list + 2], list[#list + 3] = of.places[i], letter, text
    end
  end
  return list
end

-- Answers { ids, heads, the head of each, rows, leases, shapes, asides } of those that are known, in the order of `ids`. What was changed
-- is written before.
local function describe(ids, leaseUntil)
  load(ids, true)
  local known, found = {}, {}
  for _, id in ipairs(ids) do
    if tasks[id] then
      known[#known + 1], found[#found + 1] = id, rows[id]
    end
  end
  local heads, headOfEach, shapeList = headsOf(known)
  return { table.concat(known, ' '), heads, headOfEach, found, leasesOf(known, leaseUntil), shapeList, asidesOf(known) }
end
