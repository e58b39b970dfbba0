socket.on('unique-request-id', (response) => {
  console.log('Received response:', response);
});
