/* An external delegate that takes ADD of float32 tensors of one shape and computes it; built by the tests with a C compiler.
 *
 * The structures are those of tensorflow/lite/core/c/common.h as far as they are used, which external delegates are bound to.
 * Options: "offset" is added to every sum, so that a test sees who computed it; "at_most" is the number of nodes to take;
 * "refuse" makes the delegate impossible to create, "break" makes it fail when it is given the graph.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef enum { OK = 0, ERROR = 1 } Status;
typedef struct { int size; int data[]; } IntArray;

typedef struct {
    int type;
    float *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    void *delegate;
    int buffer_handle;
    _Bool data_is_stale, is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;

typedef struct {
    IntArray *inputs, *outputs, *intermediates, *temporaries;
    void *user_data, *builtin_data;
} Node;

struct Context;
struct Delegate;

typedef struct {
    void *(*init)(struct Context *, const char *buffer, size_t length);
    void (*free)(struct Context *, void *);
    Status (*prepare)(struct Context *, Node *);
    Status (*invoke)(struct Context *, Node *);
    const char *(*profiling_string)(const struct Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *registration_external;
    void *(*async_kernel)(struct Context *, Node *);
    uint64_t inplace_operator;
} Registration;

typedef struct Context {
    size_t tensors_size;
    Status (*GetExecutionPlan)(struct Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    Status (*ResizeTensor)(struct Context *, Tensor *, IntArray *);
    void (*ReportError)(struct Context *, const char *, ...);
    Status (*AddTensors)(struct Context *, int, int *);
    Status (*GetNodeAndRegistration)(struct Context *, int, Node **, Registration **);
    Status (*ReplaceNodeSubsetsWithDelegateKernels)(struct Context *, Registration, const IntArray *, struct Delegate *);
} Context;

typedef struct Delegate {
    void *data;
    Status (*Prepare)(Context *, struct Delegate *);
    Status (*CopyFromBufferHandle)(Context *, struct Delegate *, int, Tensor *);
    Status (*CopyToBufferHandle)(Context *, struct Delegate *, int, Tensor *);
    void (*FreeBufferHandle)(Context *, struct Delegate *, int *);
    int64_t flags;
    void *opaque_delegate_builder;
} Delegate;

typedef struct {
    Delegate *delegate;
    IntArray *nodes, *inputs, *outputs;
} DelegateParams;

typedef struct { float offset; int at_most; int breaks; } Options;
typedef struct { float offset; int count; int (*sums)[3]; } Partition;

enum { ADD = 0, FLOAT32 = 1 };

static int takes(Context *context, Node *node, Registration *registration) {
    if (registration->builtin_code != ADD || node->inputs->size != 2) return 0;
    Tensor *a = &context->tensors[node->inputs->data[0]], *b = &context->tensors[node->inputs->data[1]];
    return a->type == FLOAT32 && a->bytes == b->bytes;
}

static void *partition_init(Context *context, const char *buffer, size_t length) {
    (void)length;
    const DelegateParams *params = (const DelegateParams *)buffer;
    Partition *partition = calloc(1, sizeof *partition);
    partition->offset = ((Options *)params->delegate->data)->offset;
    partition->count = params->nodes->size;
    partition->sums = calloc(partition->count, sizeof *partition->sums);
    for (int i = 0; i < partition->count; i++) {
        Node *node;
        Registration *registration;
        context->GetNodeAndRegistration(context, params->nodes->data[i], &node, &registration);
        partition->sums[i][0] = node->inputs->data[0];
        partition->sums[i][1] = node->inputs->data[1];
        partition->sums[i][2] = node->outputs->data[0];
    }
    return partition;
}

static void partition_free(Context *context, void *user_data) {
    (void)context;
    free(((Partition *)user_data)->sums);
    free(user_data);
}

static Status partition_invoke(Context *context, Node *node) {
    const Partition *partition = node->user_data;
    for (int i = 0; i < partition->count; i++) {
        const Tensor *a = &context->tensors[partition->sums[i][0]], *b = &context->tensors[partition->sums[i][1]];
        Tensor *sum = &context->tensors[partition->sums[i][2]];
        for (size_t k = 0; k < sum->bytes / sizeof(float); k++)
            sum->data[k] = a->data[k] + b->data[k] + partition->offset;
    }
    return OK;
}

static Status prepare(Context *context, Delegate *delegate) {
    const Options *options = delegate->data;
    if (options->breaks) {
        context->ReportError(context, "the dummy's device was unplugged");
        return ERROR;
    }
    IntArray *plan;
    if (context->GetExecutionPlan(context, &plan) != OK) return ERROR;
    IntArray *taken = malloc(sizeof(IntArray) + plan->size * sizeof(int));
    taken->size = 0;
    for (int i = 0; i < plan->size && taken->size < options->at_most; i++) {
        Node *node;
        Registration *registration;
        context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
        if (takes(context, node, registration)) taken->data[taken->size++] = plan->data[i];
    }
    Registration kernel = {.init = partition_init, .free = partition_free, .invoke = partition_invoke, .custom_name = "Dummy", .version = 1};
    Status status = taken->size ? context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, taken, delegate) : OK;
    free(taken);
    return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report_error)(const char *)) {
    Options *options = calloc(1, sizeof *options);
    options->at_most = 1 << 30;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(keys[i], "offset")) options->offset = strtof(values[i], NULL);
        else if (!strcmp(keys[i], "at_most")) options->at_most = atoi(values[i]);
        else if (!strcmp(keys[i], "break")) options->breaks = 1;
        else {
            report_error(!strcmp(keys[i], "refuse") ? "no dummy device is plugged in" : "unknown option");
            free(options);
            return NULL;
        }
    }
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->data = options;
    delegate->Prepare = prepare;
    return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
    if (!delegate) return; /* LiteRT destroys what it could not create */
    free(delegate->data);
    free(delegate);
}
