-- Nothing new begins. A release that turns bad is taken back all the same.
obj.spec.paused = true
return obj
