/* The networks by name. */
#include "models/model.h"

#include <string.h>

static weft_value lenet(weft_value image, int variant, int classes)
{
    (void)variant;
    return weft_lenet(image, .classes = classes);
}

static weft_value cifar_resnet(weft_value image, int variant, int classes)
{
    return weft_cifar_resnet(image, .depth = variant, .classes = classes);
}

static weft_value resnet(weft_value image, int variant, int classes)
{
    return weft_resnet(image, .depth = variant, .classes = classes);
}

static weft_value inception_v3(weft_value image, int variant, int classes)
{
    (void)variant;
    return weft_inception_v3(image, .classes = classes);
}

static weft_value googlenet(weft_value image, int variant, int classes)
{
    (void)variant;
    return weft_googlenet(image, .classes = classes);
}

static weft_value unet(weft_value image, int variant, int classes)
{
    (void)variant;
    return weft_unet(image, .classes = classes);
}

static weft_value densenet(weft_value image, int variant, int classes)
{
    return weft_densenet(image, .depth = variant, .classes = classes);
}

static weft_value mobilenet_v2(weft_value image, int variant, int classes)
{
    (void)variant;
    return weft_mobilenet_v2(image, .classes = classes);
}

static weft_value vgg(weft_value image, int variant, int classes)
{
    return weft_vgg(image, .depth = variant, .classes = classes);
}

static const weft_model models[] = {
    {"lenet", lenet, 0, 28, 1, 10, false, 64, "LeCun et al. 1998"},
    {"resnet20", cifar_resnet, 20, 32, 3, 10, false, 128, "He et al. 2015"},
    {"resnet18", resnet, 18, 224, 3, 1000, false, 8, "He et al. 2015"},
    {"resnet34", resnet, 34, 224, 3, 1000, false, 8, "He et al. 2015"},
    {"resnet50", resnet, 50, 224, 3, 1000, false, 8, "He et al. 2015"},
    {"resnet101", resnet, 101, 224, 3, 1000, false, 8, "He et al. 2015"},
    {"resnet152", resnet, 152, 224, 3, 1000, false, 8, "He et al. 2015"},
    {"googlenet", googlenet, 0, 224, 3, 1000, false, 8, "Szegedy et al. 2014"},
    {"inception_v3", inception_v3, 0, 299, 3, 1000, false, 4, "Szegedy et al. 2015"},
    {"unet", unet, 0, 256, 1, 2, true, 2, "Ronneberger et al. 2015"},
    {"densenet121", densenet, 121, 224, 3, 1000, false, 4, "Huang et al. 2016"},
    {"densenet161", densenet, 161, 224, 3, 1000, false, 4, "Huang et al. 2016"},
    {"densenet169", densenet, 169, 224, 3, 1000, false, 4, "Huang et al. 2016"},
    {"densenet201", densenet, 201, 224, 3, 1000, false, 4, "Huang et al. 2016"},
    {"mobilenet_v2", mobilenet_v2, 0, 224, 3, 1000, false, 8, "Sandler et al. 2018"},
    {"vgg11", vgg, 11, 224, 3, 1000, false, 4, "Simonyan, Zisserman 2014"},
    {"vgg13", vgg, 13, 224, 3, 1000, false, 4, "Simonyan, Zisserman 2014"},
    {"vgg16", vgg, 16, 224, 3, 1000, false, 4, "Simonyan, Zisserman 2014"},
    {"vgg19", vgg, 19, 224, 3, 1000, false, 4, "Simonyan, Zisserman 2014"},
};

const weft_model *weft_model_at(int index)
{
    int count = (int)(sizeof(models) / sizeof(models[0]));
    return index >= 0 && index < count ? &models[index] : NULL;
}

const weft_model *weft_model_find(const char *name)
{
    const weft_model *model;
    for (int i = 0; (model = weft_model_at(i)) != NULL; i++)
        if (strcmp(model->name, name) == 0)
            return model;
    return NULL;
}

weft_value weft_model_build(const weft_model *model, weft_value image, int classes)
{
    return model->build(image, model->variant, classes != 0 ? classes : model->classes);
}
