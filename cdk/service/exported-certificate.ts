// Option `certificate: acm`: ACM issues and renews a certificate that may be exported (it is charged for each issue and
// renewal), and a small function carries it into the secrets that the listener reads. No restart, nothing to remember.
import { fileURLToPath } from 'node:url';
import { Duration, Stack } from 'aws-cdk-lib';
import { Certificate, CertificateValidation } from 'aws-cdk-lib/aws-certificatemanager';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Runtime, Function as ServerlessFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import { Construct } from 'constructs';
import { secretArn, secretsPrefix } from '#cdk/names.ts';
import type { Options } from '#cdk/options.ts';

export type ExportedCertificateProps = {
  readonly options: Options;
  readonly hostedZoneId: string;
  readonly zoneName: string;
};

export class ExportedCertificate extends Construct {
  readonly handler: ServerlessFunction;

  constructor(scope: Construct, id: string, { options, hostedZoneId, zoneName }: ExportedCertificateProps) {
    super(scope, id);
    const zone = HostedZone.fromHostedZoneAttributes(this, 'Zone', { hostedZoneId, zoneName });
    const certificate = new Certificate(this, 'Certificate', {
      domainName: options.hostname,
      validation: CertificateValidation.fromDns(zone),
      allowExport: true,
    });
    this.handler = this.exporter(certificate, options);
    const target = new LambdaFunction(this.handler, { retryAttempts: 2, maxEventAge: Duration.hours(1) });
    // The event of the first issue comes before there is a rule to hear it.
    new Rule(this, 'Hourly', { schedule: Schedule.rate(Duration.hours(1)), targets: [target] });
    new Rule(this, 'Renewed', {
      eventPattern: {
        source: ['aws.acm'],
        detailType: ['ACM Certificate Available'],
        resources: [certificate.certificateArn],
      },
      targets: [target],
    });
  }

  private exporter(certificate: Certificate, options: Options): ServerlessFunction {
    const stack = Stack.of(this);
    const logGroup = new LogGroup(this, 'Logs', { retention: options.logDays });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    role.addToPolicy(
      new PolicyStatement({ actions: ['acm:ExportCertificate'], resources: [certificate.certificateArn] }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
        resources: ['tls-certificate', 'tls-key'].map((name) => secretArn(stack, options, name)),
      }),
    );
    return new ServerlessFunction(this, 'Export', {
      description: 'Carries the renewed certificate into the secrets of the listener',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(fileURLToPath(new URL('../export-certificate', import.meta.url))),
      handler: 'index.handler',
      timeout: Duration.seconds(30),
      role,
      logGroup,
      environment: {
        CERTIFICATE_ARN: certificate.certificateArn,
        CERTIFICATE_SECRET: `${secretsPrefix(options)}tls-certificate`,
        KEY_SECRET: `${secretsPrefix(options)}tls-key`,
      },
    });
  }
}
