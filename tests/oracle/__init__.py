"""Our decoding, masks, annotations and transforms beside their references, on CPython 3.12.

Run by path alone (``./noxw -s oracle``): mmdet, mmcv, torchvision, OpenCV and pycocotools are
installed nowhere else. Parameters are compared, never seeds: what our transforms draw is put into
the references.
"""
