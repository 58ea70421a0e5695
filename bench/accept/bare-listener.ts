// The yardstick: npm's smtp-server with nothing behind it. It reads each message and throws it away.
import { SMTPServer } from 'smtp-server';

const server = new SMTPServer({
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  logger: false,
  onData: (stream, _session, callback) => {
    stream.on('data', () => {}).on('end', () => callback(null));
  },
});
server.listen(0, '127.0.0.1', () => {
  const address = server.server.address();
  console.log(JSON.stringify({ port: typeof address === 'object' ? address?.port : null }));
});
