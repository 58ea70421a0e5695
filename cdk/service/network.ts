// The network: two zones of public subnets, no NAT on the way in, S3 by a free gateway endpoint. Only `mx` delivery
// adds private subnets behind one NAT gateway, whose address is what other servers see. Or a VPC that is there already.
import { Annotations } from 'aws-cdk-lib';
import {
  type CfnEIP,
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpProtocol,
  type IVpc,
  NatProvider,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from '#cdk/acknowledge.ts';
import { zones } from '#cdk/data/data-stack.ts';
import type { Options } from '#cdk/options.ts';

export type NetworkProps = { readonly options: Options; readonly outboundAddress: CfnEIP | null };

export class Network extends Construct {
  readonly vpc: IVpc;
  /** Set in `mx` mode: the group of the function that leaves through the NAT gateway. */
  readonly outbound: SecurityGroup | null;

  constructor(scope: Construct, id: string, { options, outboundAddress }: NetworkProps) {
    super(scope, id);
    this.vpc = this.existing(options) ?? this.own(options, outboundAddress);
    const description = 'Mail going out: anywhere, from one address';
    this.outbound =
      options.deliveryMode === 'mx' ? new SecurityGroup(this, 'Outbound', { vpc: this.vpc, description }) : null;
  }

  /** By its attributes: synth asks no account. Its routes, its endpoint of S3 and its flow logs are its owner's. */
  private existing({ vpcId, zones: availabilityZones, publicSubnets, privateSubnets }: Options): IVpc | null {
    if (vpcId === undefined || availabilityZones === undefined || publicSubnets === undefined) return null;
    const vpc = Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId,
      availabilityZones,
      publicSubnetIds: publicSubnets,
      ...(privateSubnets === undefined ? {} : { privateSubnetIds: privateSubnets }),
    });
    for (const subnet of [...vpc.publicSubnets, ...vpc.privateSubnets]) {
      Annotations.of(subnet).acknowledgeWarning('@aws-cdk/aws-ec2:noSubnetRouteTableId', 'Nothing here adds a route.');
    }
    return vpc;
  }

  private own(options: Options, outboundAddress: CfnEIP | null): Vpc {
    const privateSubnets = { name: 'outbound', subnetType: SubnetType.PRIVATE_WITH_EGRESS };
    const vpc = new Vpc(this, 'Vpc', {
      ...(options.zones === undefined ? { maxAzs: zones } : { availabilityZones: options.zones }),
      natGateways: outboundAddress === null ? 0 : 1,
      ...(outboundAddress === null
        ? {}
        : { natGatewayProvider: NatProvider.gateway({ eipAllocationIds: [outboundAddress.attrAllocationId] }) }),
      ...(options.ipAddressType === 'dualstack' ? { ipProtocol: IpProtocol.DUAL_STACK } : {}),
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC },
        ...(outboundAddress === null ? [] : [privateSubnets]),
      ],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
      restrictDefaultSecurityGroup: false,
    });
    vpc.addFlowLog('Rejected', {
      trafficType: FlowLogTrafficType.REJECT,
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, 'RejectedLogs', { retention: options.logDays }),
      ),
    });
    acknowledge(this, { IAM5: 'The flow log writes to streams of its own log group, whose names it makes up.' });
    return vpc;
  }
}
