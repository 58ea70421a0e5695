// `npm run test:timing`, too: what a person lets go with the AWS adapters and the bundles that ship, over S3 and SQS emulated here.
process.env['PILLARBOX_TEST_WORLD'] = 'emulator';
await import('./release.test.ts');
