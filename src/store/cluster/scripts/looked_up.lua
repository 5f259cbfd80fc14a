-- user… : it is known now of these whether their receipts are off
local base = life()
if base then
  in_parts('HMGET', base .. 's', ARGV, function(_, slots)
    for _, slot in ipairs(slots) do
      if slot then call('SREM', base .. 'u', slot) end
    end
  end)
end
return 0
