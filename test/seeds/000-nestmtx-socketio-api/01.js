socket.emit('request', {
  command: 'list',
  module: 'users',
  requestId: 'unique-request-id',
});
