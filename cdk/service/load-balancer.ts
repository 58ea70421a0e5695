// The network load balancer in front of the listener: static addresses, the client's own address kept, no connection
// cut while it may still carry a message.
import { Duration } from 'aws-cdk-lib';
import { type IVpc, Peer, Port, Protocol as PortProtocol, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  IpAddressType,
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { acknowledge } from '#cdk/acknowledge.ts';
import type { DataStack } from '#cdk/data/data-stack.ts';
import type { Options } from '#cdk/options.ts';
import { balancerIdleSeconds } from '#pipeline/contract/deployed-options.ts';
import { healthPort, type ListenerTasks, listenerPorts } from './listener-task.ts';

/** Longer than any wait of an SMTP client (RFC 5321 §4.5.3.2): the listener's own limits decide, not the balancer's. */
const idleTimeout = Duration.seconds(balancerIdleSeconds);

/** A router on the way says that a packet was too large (RFC 1191, RFC 8201): unheard, long answers of TLS never arrive. */
const tooLarge = Port.icmpTypeAndCode(3, 4);
const tooLargeV6 = new Port({
  protocol: PortProtocol.ICMPV6,
  fromPort: 2,
  toPort: 0,
  stringRepresentation: 'ICMPv6 packet too big',
});

export type LoadBalancerProps = {
  readonly vpc: IVpc;
  readonly data: DataStack;
  readonly tasks: ListenerTasks;
  readonly options: Options;
};

export class LoadBalancer extends Construct {
  readonly balancer: NetworkLoadBalancer;
  readonly targets: readonly NetworkTargetGroup[];

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id);
    const { vpc, data, tasks, options } = props;
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', { vpc, description: 'Mail from the world' });
    this.balancer = new NetworkLoadBalancer(this, 'Balancer', {
      vpc,
      internetFacing: true,
      deletionProtection: true,
      securityGroups: [securityGroup],
      ipAddressType: options.ipAddressType === 'ipv4' ? IpAddressType.IPV4 : IpAddressType.DUAL_STACK,
      subnetMappings: vpc.publicSubnets.map((subnet, index) => ({
        subnet,
        allocationId: addressOf(data, index),
      })),
    });
    const ports = listenerPorts.map(({ outside }) => Port.tcp(outside));
    for (const port of [...ports, tooLarge]) securityGroup.addIngressRule(Peer.anyIpv4(), port);
    if (options.ipAddressType === 'dualstack')
      for (const port of [...ports, tooLargeV6]) securityGroup.addIngressRule(Peer.anyIpv6(), port);
    this.targets = listenerPorts.map((port) => this.listen(port, props));
    const inside = [...listenerPorts.map((port) => port.inside), healthPort].map((port) => Port.tcp(port));
    for (const port of [...inside, tooLarge]) tasks.securityGroup.addIngressRule(securityGroup, port);
    acknowledge(securityGroup, {
      EC23: 'Mail comes from anywhere: ports 25, 587 and 465 are what this service is for.',
    });
    acknowledge(this.balancer, {
      ELB2: 'Access logs exist for TLS listeners only, and this one passes TCP through; the listener logs each session.',
    });
  }

  private listen(
    { name, outside, inside }: (typeof listenerPorts)[number],
    { vpc, tasks, options }: LoadBalancerProps,
  ): NetworkTargetGroup {
    const group = new NetworkTargetGroup(this, `Targets-${name}`, {
      vpc,
      port: inside,
      protocol: Protocol.TCP,
      targetType: TargetType.IP,
      preserveClientIp: options.preserveClientIp,
      proxyProtocolV2: options.proxyProtocol,
      crossZoneEnabled: crossesZones(name),
      deregistrationDelay: Duration.seconds(300),
      connectionTermination: false,
      healthCheck: healthCheck(options),
      targets: [tasks.service.loadBalancerTarget({ containerName: 'listener', containerPort: inside })],
    });
    // A slow S3 makes a task unhealthy: no new connections for it, but what it is taking in goes on.
    group.setAttribute('target_health_state.unhealthy.connection_termination.enabled', 'false');
    const listener = this.balancer.addListener(name, { port: outside, tcpIdleTimeout: idleTimeout });
    listener.addTargetGroups(`Forward-${name}`, group);
    return group;
  }
}

/**
 * Mail for us stays in the zone whose address it came to: half of it would be paid for between zones otherwise. If the zone has no
 * healthy task, a mail server tries the other address (RFC 5321 §5.1). A mail program may know one address only.
 */
function crossesZones(name: (typeof listenerPorts)[number]['name']): boolean {
  return name !== 'mx';
}

/** With PROXY v2 the balancer's checks carry its header too, which no HTTP server understands: there it only connects. */
function healthCheck({ proxyProtocol }: Options) {
  const times = { interval: Duration.seconds(10), timeout: Duration.seconds(5) };
  const common = { ...times, healthyThresholdCount: 2, unhealthyThresholdCount: 3 };
  return proxyProtocol
    ? { ...common, protocol: Protocol.TCP }
    : { ...common, protocol: Protocol.HTTP, port: String(healthPort), path: '/health' };
}

function addressOf(data: DataStack, index: number): string {
  const address = data.addresses[index];
  if (address === undefined) throw new Error(`no public address for zone ${index + 1}`);
  return address.attrAllocationId;
}
