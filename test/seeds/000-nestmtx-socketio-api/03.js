const socket = io('https://your-nestmtx-instance.com', {
  auth: {
    token: 'your-access-token',
  },
  extraHeaders: {
    Authorization: `Bearer your-access-token`,
  },
  query: {
    token: 'your-access-token',
  },
});
