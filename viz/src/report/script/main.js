// Begins.

timeline.start();
resets.start();
sockets.start();
steps.start();
