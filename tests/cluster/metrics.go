package main

import (
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/metrics-server/pkg/api"
	generatedopenapi "sigs.k8s.io/metrics-server/pkg/api/generated/openapi"
	"sigs.k8s.io/metrics-server/pkg/scraper/client"
	"sigs.k8s.io/metrics-server/pkg/server"
)

// metricsServer puts the real metrics-server together, as its own command does: that one is written for another version of
// k8s.io/apiserver than the cluster's, and flags that the cluster does not use are left out.
type metricsServer struct {
	kubeconfig, kubeletAuthority string
	resolution                   time.Duration
	serving                      *options.SecureServingOptionsWithLoopback
	authentication               *options.DelegatingAuthenticationOptions
	authorization                *options.DelegatingAuthorizationOptions
}

func newMetricsServerCommand() *cobra.Command {
	m := metricsServer{
		serving:        options.NewSecureServingOptions().WithLoopback(),
		authentication: options.NewDelegatingAuthenticationOptions(),
		authorization:  options.NewDelegatingAuthorizationOptions(),
	}
	command := &cobra.Command{
		Use:          "metrics-server",
		Short:        "Serves metrics.k8s.io from what the kubelets measure",
		SilenceUsage: true,
		RunE:         func(*cobra.Command, []string) error { return m.run() },
	}
	flags := command.Flags()
	flags.StringVar(&m.kubeconfig, "kubeconfig", "", "the account by which nodes, pods and kubelets are asked")
	flags.StringVar(&m.kubeletAuthority, "kubelet-certificate-authority", "", "file of the authority that signed the kubelets' certificates")
	flags.DurationVar(&m.resolution, "metric-resolution", 15*time.Second, "time between two measurements, at least 10s")
	m.serving.AddFlags(flags)
	m.authentication.AddFlags(flags)
	m.authorization.AddFlags(flags)
	return command
}

func (m *metricsServer) run() error {
	apiserver, err := m.apiserver()
	if err != nil {
		return err
	}
	account, err := clientcmd.BuildConfigFromFlags("", m.kubeconfig)
	if err != nil {
		return err
	}
	account.ContentType = "application/vnd.kubernetes.protobuf"
	if err := rest.SetKubernetesDefaults(account); err != nil {
		return err
	}
	kubelets := rest.CopyConfig(account)
	kubelets.CAFile, kubelets.CAData = m.kubeletAuthority, nil
	config := server.Config{
		Apiserver: apiserver,
		Rest:      account,
		Kubelet: &client.KubeletClientConfig{
			Client:              *kubelets,
			AddressTypePriority: []corev1.NodeAddressType{corev1.NodeInternalIP},
			Scheme:              "https",
			UseNodeStatusPort:   true,
		},
		MetricResolution: m.resolution,
		ScrapeTimeout:    m.resolution * 9 / 10,
	}
	completed, err := config.Complete()
	if err != nil {
		return err
	}
	return completed.RunUntil(genericapiserver.SetupSignalHandler())
}

func (m *metricsServer) apiserver() (*genericapiserver.Config, error) {
	config := genericapiserver.NewConfig(api.Codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	namer := openapinamer.NewDefinitionNamer(api.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(generatedopenapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(generatedopenapi.GetOpenAPIDefinitions, namer)
	if err := m.serving.ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return nil, err
	}
	if err := m.authentication.ApplyTo(&config.Authentication, config.SecureServing, config.OpenAPIConfig); err != nil {
		return nil, err
	}
	return config, m.authorization.ApplyTo(&config.Authorization)
}
