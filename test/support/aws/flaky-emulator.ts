// Preloaded (NODE_OPTIONS=--import) into the processes of the emulator world: while the file that FLAKY_FILE names is
// there, the process that plays S3 and SQS fails at random as a real one can: refuses, resets, does it and loses the answer.
import { existsSync } from 'node:fs';
import { type IncomingMessage, Server, type ServerResponse } from 'node:http';

const file = process.env['FLAKY_FILE'] ?? '';
const isEmulator = process.argv[1]?.endsWith('emulator-process.ts') === true;

if (isEmulator) {
  const emit = Server.prototype.emit;
  Server.prototype.emit = function (this: Server, event: string, ...args: any[]): boolean {
    const pass = (): boolean => Reflect.apply(emit, this, [event, ...args]);
    const [request, response]: [IncomingMessage, ServerResponse] = args as any;
    if (event !== 'request' || request.url?.startsWith('/_pillarbox') || !existsSync(file)) return pass();
    switch (Math.floor(Math.random() * 5)) {
      case 0:
        return refuse(request, response, 500, 'InternalError');
      case 1:
        return refuse(request, response, 503, 'SlowDown');
      case 2:
        request.socket.destroy();
        return true;
      case 3:
        response.end = (() => request.socket.destroy()) as any;
        return pass();
      default:
        return pass();
    }
  } as any;
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number, code: string): true {
  request.resume();
  const isJson = request.headers['x-amz-target'] !== undefined;
  response.writeHead(status, { 'content-type': isJson ? 'application/x-amz-json-1.0' : 'application/xml' });
  response.end(isJson ? JSON.stringify({ __type: code }) : `<Error><Code>${code}</Code></Error>`);
  return true;
}
