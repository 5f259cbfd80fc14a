-- Begins a conversation's life : number of it, highest order or ''
call('HSET', KEYS[1], 'i', ARGV[1])
if ARGV[2] ~= '' then call('HSET', KEYS[1], 'o', ARGV[2]) end
return 0
