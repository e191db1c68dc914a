package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/klog/v2"
)

// The name by which a StorageClass asks for folders.
const provisionerName = "aicockpit.test/folder"

// provisioner makes the volumes of a one-node cluster: each is a folder, and to Kubernetes a local volume. Unlike a
// hostPath volume, a local one gets its pod's fsGroup, as the volumes of most real clusters do.
type provisioner struct {
	client  kubernetes.Interface
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister
	queue   workqueue.TypedRateLimitingInterface[cache.ObjectName]
	root    string
	node    string
}

func newProvisionerCommand() *cobra.Command {
	var kubeconfig, root, node string
	command := &cobra.Command{
		Use:          "provisioner",
		Short:        "Makes, enlarges and removes the folders behind PersistentVolumes",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			return run(genericapiserver.SetupSignalContext(), client, filepath.Clean(root), node)
		},
	}
	for flag, value := range map[string]*string{"kubeconfig": &kubeconfig, "root": &root, "node": &node} {
		command.Flags().StringVar(value, flag, "", "required")
		if err := command.MarkFlagRequired(flag); err != nil {
			panic(err)
		}
	}
	return command
}

func run(ctx context.Context, client kubernetes.Interface, root, node string) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	claims, volumes := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes()
	p := &provisioner{
		client: client, claims: claims.Lister(), volumes: volumes.Lister(),
		classes: factory.Storage().V1().StorageClasses().Lister(), root: root, node: node,
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](
			50*time.Millisecond, 10*time.Second)),
	}
	defer p.queue.ShutDown()
	enqueue := func(object any) {
		// A volume has no namespace, by which it is told from a claim.
		if name, err := cache.DeletionHandlingObjectToName(object); err == nil {
			p.queue.Add(name)
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) }}
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go wait.UntilWithContext(ctx, p.work, time.Second)
	<-ctx.Done()
	return nil
}

func (p *provisioner) work(ctx context.Context) {
	for {
		name, closed := p.queue.Get()
		if closed {
			return
		}
		if err := p.settle(ctx, name); err != nil {
			klog.ErrorS(err, "will try again", "object", name)
			p.queue.AddRateLimited(name)
		} else {
			p.queue.Forget(name)
		}
		p.queue.Done(name)
	}
}

func (p *provisioner) settle(ctx context.Context, name cache.ObjectName) error {
	var err error
	if name.Namespace == "" {
		err = p.settleVolume(ctx, name.Name)
	} else {
		err = p.settleClaim(ctx, name)
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (p *provisioner) settleClaim(ctx context.Context, name cache.ObjectName) error {
	claim, err := p.claims.PersistentVolumeClaims(name.Namespace).Get(name.Name)
	// The controllers set this mark once it is known that a volume is wanted now.
	if err != nil || claim.Annotations[volume.AnnStorageProvisioner] != provisionerName || claim.DeletionTimestamp != nil {
		return err
	}
	if claim.Spec.VolumeName == "" {
		return p.provision(ctx, claim)
	}
	return p.enlarge(ctx, claim)
}

// provision makes a folder as a fresh disk would be: root's, readable to all. Its size is not enforced.
func (p *provisioner) provision(ctx context.Context, claim *v1.PersistentVolumeClaim) error {
	class, err := p.classes.Get(volume.GetPersistentVolumeClaimClass(claim))
	if err != nil {
		return err
	}
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(p.root, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	onNode := v1.NodeSelectorRequirement{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{p.node}}
	made := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{volume.AnnDynamicallyProvisioned: provisionerName}},
		Spec: v1.PersistentVolumeSpec{
			StorageClassName:              class.Name,
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: path}},
			ClaimRef: &v1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{
				{MatchExpressions: []v1.NodeSelectorRequirement{onNode}},
			}}},
		},
	}
	_, err = p.client.CoreV1().PersistentVolumes().Create(ctx, made, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// enlarge tells that a volume is as large as its claim wants it: a folder has no limit of its own.
func (p *provisioner) enlarge(ctx context.Context, claim *v1.PersistentVolumeClaim) error {
	wanted := claim.Spec.Resources.Requests[v1.ResourceStorage]
	has := claim.Status.Capacity[v1.ResourceStorage]
	if claim.Status.Phase != v1.ClaimBound || wanted.Cmp(has) <= 0 {
		return nil
	}
	made, err := p.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return err
	}
	made = made.DeepCopy()
	made.Spec.Capacity[v1.ResourceStorage] = wanted
	if _, err := p.client.CoreV1().PersistentVolumes().Update(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	claim = claim.DeepCopy()
	claim.Status.Capacity[v1.ResourceStorage] = wanted
	_, err = p.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	return err
}

// settleVolume removes a volume that no claim holds any more, with its folder.
func (p *provisioner) settleVolume(ctx context.Context, name string) error {
	made, err := p.volumes.Get(name)
	if err != nil || made.Annotations[volume.AnnDynamicallyProvisioned] != provisionerName {
		return err
	}
	if made.Status.Phase != v1.VolumeReleased || made.Spec.PersistentVolumeReclaimPolicy != v1.PersistentVolumeReclaimDelete {
		return nil
	}
	if made.Spec.Local == nil || !strings.HasPrefix(filepath.Clean(made.Spec.Local.Path), p.root+string(filepath.Separator)) {
		return fmt.Errorf("volume %s is not a folder below %s", name, p.root)
	}
	if err := os.RemoveAll(made.Spec.Local.Path); err != nil {
		return err
	}
	return p.client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{})
}
