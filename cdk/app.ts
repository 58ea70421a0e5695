// The deployment: `npm run synth` checks it, `npx cdk deploy --all` makes it. Options: cdk/options.ts.
import { App } from 'aws-cdk-lib';
import { buildApp } from './build-app.ts';

try {
  buildApp(new App({ analyticsReporting: false }));
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : thrown);
  process.exit(1);
}
