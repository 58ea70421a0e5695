// What cdk/app.ts does, with names that only examples have.
import { App } from 'aws-cdk-lib';
import { buildApp } from '#cdk/build-app.ts';

buildApp(new App({ analyticsReporting: false }), 'accepted');
