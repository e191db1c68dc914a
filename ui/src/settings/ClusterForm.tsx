import { Fold } from "@/components";
import { type ClusterSettings, type EngineInfo, type Settings } from "@/protocol/generated";
import { CLUSTER_DEFAULTS, clusterOf, withCluster } from "@/state/clusters";
import {
  imageProblem,
  nameProblem,
  namespaceProblem,
  optionalImageProblem,
  parseLabels,
  parseTemplate,
  parseTolerations,
  printJson,
  printLabels,
  resourceProblem,
  STORAGE_GIB,
} from "./clusterFields";
import { LinesSetting, NumberSetting, TextSetting } from "./controls";
import { Row } from "./Page";
import { useChangeSettings } from "./save";

type OptionalText =
  "namespace" | "agent_image" | "storage_class" | "runtime_class" | "pull_secret" | "service_account";

interface FieldsProps {
  cluster: ClusterSettings;
  put: (change: Partial<ClusterSettings>) => void;
}

/** How workspaces are made in a cluster: each field is kept as it is left, like every other setting. */
export function ClusterForm({ engine, settings }: { engine: EngineInfo; settings: Settings }) {
  const change = useChangeSettings(settings);
  const fields = {
    cluster: clusterOf(settings, engine),
    put: (part: Partial<ClusterSettings>) => change(withCluster(settings, engine, part)),
  };
  return (
    <div className="mt-1 flex flex-col gap-3">
      <div className="flex flex-col divide-y divide-line rounded-md border border-line">
        <CommonFields {...fields} />
      </div>
      <p className="text-sm text-faint">
        Changes reach the workspaces that are there when they are next started. The image, storage class,
        labels and GPU resource that a workspace was made with stay.
      </p>
      <Fold label="Advanced">
        <div className="mt-1 flex flex-col divide-y divide-line rounded-md border border-line">
          <PlacementFields {...fields} />
          <RightsFields {...fields} />
        </div>
      </Fold>
    </div>
  );
}

/** A text that may be left out: an empty field is one that is absent. */
function OptionalTextField({
  field,
  cluster,
  put,
  ...rest
}: FieldsProps & {
  field: OptionalText;
  label: string;
  description: string;
  placeholder: string;
  check: (text: string) => string | undefined;
  size?: "large";
}) {
  return (
    <Row>
      <TextSetting
        {...rest}
        mono
        value={cluster[field] ?? ""}
        onCommit={(text) => put({ [field]: text === "" ? undefined : text })}
      />
    </Row>
  );
}

function CommonFields(fields: FieldsProps) {
  const { cluster, put } = fields;
  return (
    <>
      <OptionalTextField
        {...fields}
        field="namespace"
        label="Namespace"
        description="Where everything is made. Empty for the context’s own."
        placeholder="The context’s own"
        check={namespaceProblem}
      />
      <Row>
        <TextSetting
          label="Image for new workspaces"
          description="For those that name none. The cluster’s machines pull it; cloning takes one with sh and git."
          mono
          size="large"
          placeholder={CLUSTER_DEFAULTS.base_image}
          value={cluster.base_image}
          check={imageProblem}
          onCommit={(base_image) => put({ base_image })}
        />
      </Row>
      <OptionalTextField
        {...fields}
        field="agent_image"
        label="Agent image"
        description="An image that carries AiCockpit’s agent. Empty: this machine brings the agent through the API, and must be there whenever a workspace’s pod starts."
        placeholder="Brought by this machine"
        check={optionalImageProblem}
        size="large"
      />
      <Row>
        <NumberSetting
          label="Volume size"
          description="Of each workspace’s volume. A smaller one grows at its workspace’s next start, where the storage class allows it."
          {...STORAGE_GIB}
          unit="GiB"
          value={cluster.storage_gib}
          onCommit={(storage_gib) => put({ storage_gib })}
        />
      </Row>
      <OptionalTextField
        {...fields}
        field="storage_class"
        label="Storage class"
        description="Of the volumes. Empty for the cluster’s default."
        placeholder="The cluster’s default"
        check={nameProblem}
      />
      <OptionalTextField
        {...fields}
        field="pull_secret"
        label="Pull secret"
        description="The secret with the credentials of the images’ registry."
        placeholder="None"
        check={nameProblem}
      />
    </>
  );
}

/** Where pods run and on what. */
function PlacementFields(fields: FieldsProps) {
  const { cluster, put } = fields;
  return (
    <>
      <Row>
        <LinesSetting
          label="Node selector"
          description="Labels that a machine must carry: key=value, one a line."
          placeholder="disktype=ssd"
          value={printLabels(cluster.node_selector)}
          check={(text) => parseLabels(text).problem}
          onCommit={(text) => put({ node_selector: parseLabels(text).value })}
        />
      </Row>
      <Row>
        <LinesSetting
          label="Tolerations"
          description="As in a pod’s specification: a list, as JSON."
          placeholder='[{ "key": "dedicated", "operator": "Exists", "effect": "NoSchedule" }]'
          value={printJson(cluster.tolerations)}
          check={(text) => parseTolerations(text).problem}
          onCommit={(text) => put({ tolerations: parseTolerations(text).value })}
        />
      </Row>
      <OptionalTextField
        {...fields}
        field="runtime_class"
        label="Runtime class"
        description="What pods run under, for instance gvisor."
        placeholder="The cluster’s default"
        check={nameProblem}
      />
      <Row>
        <TextSetting
          label="GPU resource"
          description="The resource that stands for one GPU."
          mono
          placeholder={CLUSTER_DEFAULTS.gpu_resource}
          value={cluster.gpu_resource}
          check={resourceProblem}
          onCommit={(gpu_resource) => put({ gpu_resource })}
        />
      </Row>
    </>
  );
}

/** Whose rights pods have, how objects are marked, and whatever else they hold. */
function RightsFields(fields: FieldsProps) {
  const { cluster, put } = fields;
  return (
    <>
      <OptionalTextField
        {...fields}
        field="service_account"
        label="Service account"
        description="Its token is never mounted. Empty for the namespace’s default."
        placeholder="The namespace’s default"
        check={nameProblem}
      />
      <Row>
        <LinesSetting
          label="Extra labels"
          description="Added to every object that AiCockpit makes: key=value, one a line."
          placeholder="team=payments"
          value={printLabels(cluster.labels)}
          check={(text) => parseLabels(text).problem}
          onCommit={(text) => put({ labels: parseLabels(text).value })}
        />
      </Row>
      <Row>
        <LinesSetting
          label="Pod template"
          description="Merged over the pods’ specification that AiCockpit makes: one object, as JSON (RFC 7386)."
          placeholder='{ "priorityClassName": "interactive" }'
          value={printJson(cluster.pod_template)}
          check={(text) => parseTemplate(text).problem}
          onCommit={(text) => put({ pod_template: parseTemplate(text).value })}
        />
      </Row>
    </>
  );
}
