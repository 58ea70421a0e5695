// `npm run test:emulator`, a part of `npm run check`: the same hosts, bounces and forwards with the AWS adapters and the bundles that ship, over S3 and SQS emulated here.
process.env['PILLARBOX_TEST_WORLD'] = 'emulator';
await import('./routes.test.ts');
await import('./bounces.test.ts');
