-- How tasks leave the store: heads and rows as they are kept, and beside them what these tasks need to be read.

-- Answers { ids, heads, rows, leases, shapes, asides } of those that are known, in the order of `ids`.
local function describe(ids)
  load(ids, true)
  local known, heads, found, running, shapesSeen, shapeList, asides = {}, {}, {}, {}, {}, {}, {}
  for _, id in ipairs(ids) do
    local task = tasks[id]
    if task then
      known[#known + 1], heads[#heads + 1], found[#found + 1] = id, cmsgpack.pack(task), rows[id]
      running[#running + 1] = task[STATE] == 'running' and id or ''
      local shape = task[SHAPE]
      if not shapesSeen[shape] then
        shapesSeen[shape] = true
        shapeList[#shapeList + 1], shapeList[#shapeList + 2] = shape, shapeTexts[shape]
      end
      for letter in string.gmatch(task[ASIDE], '.') do
        if besides[letter] then
          asides[#asides + 1], asides[#asides + 2] = #known, letter
          asides[#asides + 1] = call('HGET', prefix .. besides[letter], id)
        end
      end
    end
  end
  local leases = {}
  if #known > 0 then
    for i, score in ipairs(call('ZMSCORE', prefix .. 'leases', unpack(running))) do
      leases[i] = tonumber(score) or 0
    end
  end
  return { table.concat(known, ' '), heads, found, leases, shapeList, asides }
end
